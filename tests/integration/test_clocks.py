"""Clocks: a worker whose clock is not the database's stands aside, says so, and stops nobody else."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Event

import pytest
from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory

from app import create_app
from app.clock import now
from app.db import Connection
from app.runtime import Runtime
from app.services import clocks, sweeps
from app.services.health import readiness
from app.store import schema
from tests.factories import attempt_states, drain, inbox_rows, job, states, submit, take
from tests.fakes import FakeProvider


class Worker:
    """A worker process on the runtime's database, whose clock is ahead of that by so many seconds."""

    def __init__(self, runtime: Runtime, name: str, ahead_seconds: float) -> None:
        self.name = name
        self.ahead_seconds = ahead_seconds
        self.answer_takes_seconds = 0.0
        self.runtime = replace(runtime, clock_is_off=Event(), database_clock=self._database_clock)
        self.clock: FrozenDateTimeFactory | None = None

    def _database_clock(self, _: Connection) -> datetime:
        theirs = now() - timedelta(seconds=self.ahead_seconds)
        if self.clock is not None:
            self.clock.tick(self.answer_takes_seconds)
        return theirs

    def sweep(self) -> None:
        sweeps.sweep(self.runtime, self.name)


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.message.startswith("clock_")]


@pytest.mark.parametrize(("ahead_seconds", "sent"), [(-2.1, 0), (-1.9, 1), (0.0, 1), (1.9, 1), (2.1, 0), (3600.0, 0)])
def test_a_worker_whose_clock_is_off_claims_nothing(
    runtime: Runtime, provider: FakeProvider, ahead_seconds: float, sent: int, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a")
    worker = Worker(runtime, "worker-1", ahead_seconds)
    worker.sweep()
    drain(worker.runtime)
    assert len(provider.submissions) == sent
    assert states(runtime, batch_id) == (["waiting"] if sent else ["queued"])


def test_it_stops_nobody_else_and_gives_up_on_nothing(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    right, wrong = Worker(runtime, "right", 0.0), Worker(runtime, "wrong", 3600.0)
    right.sweep()
    batch_id = submit(runtime, "a", max_attempts=1)
    drain(right.runtime)
    clock.tick(3600)  # what the wrong one sees; its callback is not overdue by the database's clock
    wrong.sweep()
    assert attempt_states(job(runtime, batch_id)) == ["waiting"]
    assert not right.runtime.clock_is_off.is_set()
    submit(runtime, "b")
    drain(right.runtime)
    assert len(provider.submissions) == 2


def test_it_says_so_once_and_goes_on_when_its_clock_is_right_again(
    runtime: Runtime, caplog: pytest.LogCaptureFixture, clock: FrozenDateTimeFactory
) -> None:
    caplog.set_level(logging.INFO)
    batch_id = submit(runtime, "a")
    worker = Worker(runtime, "worker-1", 30.0)
    for _ in range(3):
        worker.sweep()
    assert events(caplog) == ["clock_off"]
    worker.ahead_seconds = 0.1
    worker.sweep()
    drain(worker.runtime)
    assert (events(caplog), states(runtime, batch_id)) == (["clock_off", "clock_right_again"], ["waiting"])


def test_a_slow_answer_is_not_taken_for_a_wrong_clock(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    worker = Worker(runtime, "worker-1", 0.0)
    worker.clock, worker.answer_takes_seconds = clock, 30.0
    assert clocks.check(worker.runtime) == 0.0
    assert not worker.runtime.clock_is_off.is_set()


def test_the_worker_is_shown_with_its_clock_at_the_time_of_the_database(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    client: FlaskClient = create_app(runtime).test_client()
    Worker(runtime, "behind", -7200.0).sweep()
    Worker(runtime, "right", 0.5).sweep()
    clock.tick(7200)
    assert [each.worker for each in readiness(runtime).workers] == ["behind"]
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json is not None
    (shown,) = response.json["workers"]
    assert (shown["worker"], shown["clock_off_seconds"], shown["stands_aside"]) == ("behind", -7200.0, True)


def test_a_web_process_tells_of_its_own_clock_and_goes_on(
    runtime: Runtime, caplog: pytest.LogCaptureFixture, clock: FrozenDateTimeFactory
) -> None:
    web = Worker(runtime, "web", 600.0)
    client: FlaskClient = create_app(web.runtime).test_client()
    answers = [client.get("/readyz") for _ in range(2)]
    assert [(each.status_code, (each.json or {})["clock_off_seconds"]) for each in answers] == [(200, 600.0)] * 2
    assert events(caplog) == ["clock_off"]


def test_the_real_clock_of_the_database_is_asked(runtime: Runtime) -> None:
    with runtime.database.reading() as connection:
        theirs = schema.clock(connection)
    if runtime.database.is_sqlite:
        assert theirs is None
        assert clocks.check(replace(runtime, database_clock=schema.clock)) is None
    else:
        assert theirs is not None
        assert abs((now() - theirs).total_seconds()) < 5
    assert (take(runtime), inbox_rows(runtime)) == ([], [])
