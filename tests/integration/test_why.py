"""Why it waits: each thing that can keep a job back is named, with what ends it, and an open job is never without."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory
from sqlalchemy import text

from app.clock import now
from app.ids import show
from app.providers.base import Accepted, Held, SubmitOutcome, Unknown
from app.runtime import Runtime
from app.services import batches, budgets, installation, pausing, sweeps, why
from app.services.views import ReasonView
from app.store import waiting, workers
from tests.conftest import MakeRuntime
from tests.factories import (
    deliver,
    drain,
    interposed,
    job,
    record,
    states,
    submit,
    sweep,
    take,
    take_one,
    with_settings,
)
from tests.fakes import FakeOutside, FakeProvider, failure, success
from tests.integration.rest import Rest, body_of, foreign, unknown

NOON = "2026-03-01T12:00:"


@pytest.fixture
def alive(make_runtime: MakeRuntime, clock: FrozenDateTimeFactory) -> Runtime:
    """A runtime with a worker that has just swept, at noon."""
    runtime = make_runtime(breaker_faults=2)
    sweep(runtime)
    return runtime


def of_job(runtime: Runtime, batch_id: UUID, custom_id: str = "job-0") -> tuple[ReasonView, ...]:
    return why.job(runtime, "alice", job(runtime, batch_id, custom_id).job.id)


def only(runtime: Runtime, batch_id: UUID) -> tuple[str, str | None, str | None, str]:
    """The one reason why the one job of a batch waits: its code, since when, until when and what ends it.

    The batch waits for the same.
    """
    (reason,) = of_job(runtime, batch_id)
    assert why.batch(runtime, "alice", batch_id) == (reason,)
    assert reason.jobs == 1
    since, until = (at and f"{at:%H:%M:%S}" for at in (reason.since, reason.until))
    return reason.code, since, until, reason.ends


def beat(runtime: Runtime) -> None:
    """A worker is alive, and has not come to anything yet."""
    with runtime.database.transaction() as connection:
        workers.beat(connection, "tests", now(), runtime.settings.sweep_seconds, None)


def codes(runtime: Runtime, batch_id: UUID) -> list[str]:
    return [reason.code for reason in of_job(runtime, batch_id)]


def test_a_job_that_nothing_holds_is_next_in_line(alive: Runtime) -> None:
    assert only(alive, submit(alive, "a")) == ("ready", "12:00:00", None, "a worker claims it")


def test_a_job_behind_others_is_told_how_many(alive: Runtime) -> None:
    batch_id = submit(alive, "a", "b", "c")
    (reason,) = of_job(alive, batch_id, "job-2")
    assert (reason.code, reason.message) == ("in_line", "Nothing holds it; 2 or more jobs are before it in line.")
    assert [each.code for each in of_job(alive, batch_id, "job-0")] == ["ready"]


def test_a_job_that_is_being_submitted_is_the_workers_until_its_lease_ends(alive: Runtime) -> None:
    batch_id = submit(alive, "a")
    take_one(alive)
    assert only(alive, batch_id)[:3] == ("submitting", "12:00:00", "12:00:15")


def test_a_job_that_the_provider_has_waits_for_its_callback_until_it_times_out(
    alive: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(alive, "a")
    claimed = take_one(alive)
    clock.tick(3)
    record(alive, claimed, Accepted("task-1", 200))
    clock.tick(5)
    assert only(alive, batch_id)[:3] == ("waiting_for_callback", "12:00:03", "12:01:03")
    clock.tick(55)
    beat(alive)
    code, _, until, ends = only(alive, batch_id)
    assert (code, until) == ("timing_out", "12:01:03")
    assert ends == "a worker comes to it: it is asked for, and else submitted again"


def test_a_submit_of_unknown_outcome_waits_out_its_grace(alive: Runtime) -> None:
    batch_id = submit(alive, "a")
    record(alive, take_one(alive), Unknown("http_503", "HTTP 503", 503))
    assert only(alive, batch_id)[:3] == ("unknown_outcome", "12:00:00", "12:00:30")


def test_a_job_whose_task_failed_backs_off(alive: Runtime) -> None:
    batch_id = submit(alive, "a")
    claimed = take_one(alive)
    record(alive, claimed, Accepted("task-1", 200))
    deliver(alive, claimed.submission, failure("5"))
    due_at = job(alive, batch_id).job.due_at
    assert due_at is not None
    assert only(alive, batch_id) == ("backing_off", "12:00:00", f"{due_at:%H:%M:%S}", "the pause is over")


def test_a_paused_batch_names_who_paused_it_and_why(alive: Runtime) -> None:
    batch_id = submit(alive, "a")
    pausing.pause(alive, "alice", batch_id, "lunch")
    assert only(alive, batch_id) == ("paused", "12:00:00", None, "somebody resumes it")
    assert of_job(alive, batch_id)[0].message == "The batch is held (alice): lunch"


def test_a_spent_budget_ends_with_a_higher_one(alive: Runtime) -> None:
    batch_id = submit(alive, "a", "b")
    (claimed,) = take(alive, 1)
    deliver(alive, claimed.submission, success("x", charge="0.5"))
    with alive.database.transaction() as connection:
        connection.execute(text("UPDATE batches SET budget_nano = 400000000"))
    budgets.enforce(alive)
    (reason,) = why.batch(alive, "alice", batch_id)
    assert (reason.code, reason.message) == ("budget", "The batch is held (budget): 0.5 of 0.4 is spent.")
    assert (reason.jobs, reason.ends) == (1, "the batch gets a higher budget")


HELD: Mapping[str, tuple[SubmitOutcome, str | None]] = {
    "rate_limited": (Held("rate_limited", "HTTP 429", 17.0), "12:00:17"),
    "unreachable": (Held("unreachable", "connection refused", 9.0), "12:00:09"),
    "key_refused": (Held("key_refused", "HTTP 403", needs_operator=True), None),
    "misconfigured": (Held("misconfigured", "HTTP 302", needs_operator=True), None),
}


@pytest.mark.parametrize("reason", HELD)
def test_a_held_provider_is_named_with_its_end(alive: Runtime, reason: str) -> None:
    outcome, until = HELD[reason]
    submit(alive, "first")
    record(alive, take_one(alive), outcome)
    batch_id = submit(alive, "a")
    code, since, found_until, ends = only(alive, batch_id)
    assert (code, since, found_until) == (reason, "12:00:00", until)
    assert ends == "its time is over" if until else "lifts the hold" in ends


def test_an_open_breaker_is_named_with_its_end_and_then_the_one_submit_that_tries(
    alive: Runtime, clock: FrozenDateTimeFactory
) -> None:
    submit(alive, "first", "second", max_attempts=9)
    for claimed in take(alive):
        record(alive, claimed, Unknown("http_503", "HTTP 503", 503))
    batch_id = submit(alive, "a")
    (reason,) = of_job(alive, batch_id)
    assert (reason.code, reason.ends) == ("breaker", "its time is over; then one submit tries")
    assert reason.until is not None
    clock.tick(2)
    assert only(alive, batch_id)[::3] == ("breaker_probe", "a submit succeeds")


def test_a_rate_without_a_slot_names_the_next(make_runtime: MakeRuntime, clock: FrozenDateTimeFactory) -> None:
    runtime = make_runtime(rate_per_second=0.1)
    sweep(runtime)
    submit(runtime, "first")
    take(runtime)
    assert only(runtime, submit(runtime, "a")) == ("own_rate", None, "12:00:10", "the next slot begins")


def test_a_provider_that_has_all_it_may_have_is_named(make_runtime: MakeRuntime, clock: FrozenDateTimeFactory) -> None:
    runtime = make_runtime(max_in_flight=1)
    sweep(runtime)
    submit(runtime, "first")
    take(runtime)
    batch_id = submit(runtime, "a")
    assert only(runtime, batch_id)[0] == "no_room_in_flight"
    assert of_job(runtime, batch_id)[0].message == "hive_v2 has 1 tasks, and may have 1 at once."


def test_a_job_that_may_have_killed_its_worker_waits_for_an_idle_one(
    alive: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(alive, "a")
    take_one(alive)
    for _ in range(2):
        clock.tick(31)
        sweep(alive)
    clock.tick(5)
    assert only(alive, batch_id)[::3] == ("suspect", "a worker is idle for it")


def test_a_suspect_does_not_hold_the_other_jobs_of_its_batch(alive: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(alive, "a", "b")
    take(alive, 1)
    for _ in range(2):
        clock.tick(31)
        sweep(alive)
    clock.tick(5)
    assert [(reason.code, reason.jobs) for reason in why.batch(alive, "alice", batch_id)] == [
        ("suspect", 1),
        ("ready", 1),
    ]


def test_a_service_without_a_worker_says_when_the_last_one_swept(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a")
    assert only(runtime, batch_id) == ("no_worker", None, None, "a worker starts")
    sweep(runtime)
    clock.tick(20)  # two sweeps of 5 s and a submit time-out of 10 s
    assert only(runtime, batch_id)[0] == "ready"
    clock.tick(1)
    assert only(runtime, batch_id) == ("no_worker", "12:00:00", None, "a worker starts")


def test_a_worker_that_is_no_longer_alive_for_the_doctor_is_none_that_a_job_waits_for(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    runtime = make_runtime(sweep_seconds=20.0)
    batch_id = submit(runtime, "a")
    sweep(runtime)
    for seconds, is_alive in ((50, True), (1, False)):
        clock.tick(seconds)
        checks = {each.name: each.is_ok for each in installation.check(runtime)}
        assert (checks["workers"], only(runtime, batch_id)[0] == "ready") == (is_alive, is_alive)


CLOCK_OFF = ("clock_off", None, None, "the clock of a worker is right again")


def test_workers_that_stand_aside_for_their_clocks_are_named_until_one_is_right_again(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a")
    wrong = replace(runtime, clock_is_off=Event(), database_clock=lambda _: now() - timedelta(seconds=3))
    sweeps.sweep(wrong, "wrong")
    drain(wrong)
    assert (provider.submissions, only(runtime, batch_id)) == ([], CLOCK_OFF)
    sweeps.sweep(runtime, "right")
    assert only(runtime, batch_id)[0] == "ready"
    clock.tick(21)
    sweeps.sweep(replace(wrong, database_clock=lambda _: now() + timedelta(seconds=3)), "wrong")
    assert only(runtime, batch_id) == ("clock_off", "12:00:00", None, CLOCK_OFF[3])
    clock.tick(24)  # its sign of life is at the database's time
    assert only(runtime, batch_id)[0] == "no_worker"


def test_a_callback_that_is_overdue_without_a_worker_is_nobodys(alive: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(alive, "a")
    record(alive, take_one(alive), Accepted("task-1", 200))
    clock.tick(200)
    assert codes(alive, batch_id) == ["no_worker", "timing_out"]


def test_settings_that_forbid_to_submit_are_named(alive: Runtime) -> None:
    batch_id = submit(alive, "a")
    settings = alive.settings.model_copy(update={"public_url": None})
    forbidding = with_settings(alive, settings)
    assert only(forbidding, batch_id)[::3] == ("settings", "the service runs with other settings")


ECHO_BACK = "the echo comes back; it is asked for at least once a minute"


def test_an_echo_that_did_not_come_back_is_named_with_what_was_asked_and_what_ends_it(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    outside = FakeOutside()
    worker = replace(make_runtime(echo="on"), outside=outside)
    outside.broken = "gaierror"
    batch_id = submit(worker, "a")
    sweep(worker)
    assert only(worker, batch_id) == ("echo_failed", "12:00:00", None, ECHO_BACK)
    words = "The provider is held (echo): GET http://127.0.0.1:8000/callbacks/echo/...: gaierror"
    assert of_job(worker, batch_id)[0].message == words
    outside.broken = None
    clock.tick(1)
    sweep(worker)
    assert only(worker, batch_id)[0] == "ready"


def test_a_new_batch_that_waits_for_an_echo_says_so(make_runtime: MakeRuntime, clock: FrozenDateTimeFactory) -> None:
    worker = replace(make_runtime(echo="on"), outside=FakeOutside())
    older = submit(worker, "a")
    sweep(worker)
    clock.tick(61)
    beat(worker)
    newer = submit(worker, "b")
    awaited = ("echo_awaited", None, None, "the echo comes back; a worker asks for it at once")
    assert (only(worker, older)[0], only(worker, newer)) == ("ready", awaited)
    pausing.pause(worker, "alice", newer, "lunch")
    assert codes(worker, newer) == ["paused"]


def test_before_the_first_echo_every_batch_waits_for_it(alive: Runtime, make_runtime: MakeRuntime) -> None:
    assert only(make_runtime(echo="on"), submit(alive, "a"))[0] == "echo_awaited"


def test_a_silent_provider_is_named_with_what_ends_it(make_runtime: MakeRuntime, clock: FrozenDateTimeFactory) -> None:
    runtime = make_runtime(callback_timeout_seconds=600.0)
    submit(runtime, *"0123456789")
    for number, claimed in enumerate(take(runtime)):
        record(runtime, claimed, Accepted(f"task-{number}", 200))
    clock.tick(301)
    sweep(runtime)
    batch_id = submit(runtime, "a")
    ends = "an answer comes; one job at a time is let through to find out"
    assert only(runtime, batch_id) == ("silence", "12:05:01", None, ends)
    assert "10 tasks in a row" in of_job(runtime, batch_id)[0].message


def test_a_batch_that_is_being_cancelled_says_so_first(alive: Runtime) -> None:
    batch_id = submit(alive, "a")

    def look() -> None:
        assert only(alive, batch_id)[:2] == ("cancelling", "12:00:00")

    batches.cancel(interposed(alive, after={1: look}), "alice", batch_id)
    assert of_job(alive, batch_id) == ()


def test_a_batch_that_has_run_out_of_time_waits_for_the_sweep(alive: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(alive, "a", expires_in_seconds=60)
    clock.tick(61)
    beat(alive)
    assert only(alive, batch_id) == ("expired", "12:01:00", None, "the next sweep ends it")


def test_what_holds_it_comes_in_order_what_a_person_has_to_end_before_what_ends_by_itself(alive: Runtime) -> None:
    submit(alive, "first")
    record(alive, take_one(alive), Held("rate_limited", "HTTP 429", 17.0))
    batch_id = submit(alive, "a")
    pausing.pause(alive, "alice", batch_id, "lunch")
    assert codes(alive, batch_id) == ["paused", "rate_limited"]


def test_a_batch_tells_how_many_jobs_wait_for_what_the_first_to_end_first(
    alive: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(alive, *"abcdef")
    for number, claimed in enumerate(take(alive, 5)):
        clock.tick(1)
        if number < 2:
            record(alive, claimed, Accepted(f"task-{number}", 200))
        elif number < 3:
            record(alive, claimed, Unknown("http_503", "HTTP 503", 503))
    found = why.batch(alive, "alice", batch_id)
    assert [(reason.code, reason.jobs) for reason in found] == [
        ("ready", 1),
        ("submitting", 2),
        ("unknown_outcome", 1),
        ("waiting_for_callback", 2),
    ]
    assert [f"{reason.until:%H:%M:%S}" for reason in found[1:] if reason.until] == ["12:00:15", "12:00:33", "12:01:01"]


def test_of_a_large_batch_what_is_not_looked_at_is_counted_with_the_group_that_it_must_be_of(
    alive: Runtime, clock: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LOOKED_AT", 2)
    batch_id = submit(alive, *"abcdefghijkl")
    (claimed,) = take(alive, 1)
    record(alive, claimed, Accepted("task-1", 200))
    deliver(alive, claimed.submission, failure("5"))
    for number, claimed in enumerate(take(alive, 2)):
        record(alive, claimed, Accepted(f"task-{number}", 200))
    assert found(alive, batch_id) == [
        ("ready", 9, False),
        ("backing_off", 1, False),
        ("waiting_for_callback", 2, False),
    ]


def test_of_a_large_batch_a_number_that_may_be_higher_says_so(
    alive: Runtime, clock: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LOOKED_AT", 2)
    batch_id = submit(alive, *"abcdefghijkl")
    for number, claimed in enumerate(take(alive, 6)):
        record(alive, claimed, Accepted(f"task-{number}", 200))
        deliver(alive, claimed.submission, failure("5"))
    assert found(alive, batch_id) == [("ready", 2, True), ("backing_off", 2, True)]
    pausing.pause(alive, "alice", batch_id, "lunch")
    assert found(alive, batch_id)[0] == ("paused", 2, True)


def found(runtime: Runtime, batch_id: UUID) -> list[tuple[str, int, bool]]:
    return [(reason.code, reason.jobs, reason.is_at_least) for reason in why.batch(runtime, "alice", batch_id)]


def test_the_api_says_it_to_the_owner_only(alive: Runtime, client: FlaskClient, api_key: str) -> None:
    batch_id = submit(alive, "a")
    shown_job = show("job", job(alive, batch_id).job.id)
    api = Rest(client, api_key)
    expected = {
        "code": "ready",
        "message": "Nothing holds it; it is next in line.",
        "jobs": 1,
        "is_at_least": False,
        "since": f"{NOON}00Z",
        "until": None,
        "ends": "a worker claims it",
        "expected_by": None,
    }
    for path in (f"/api/jobs/{shown_job}/why", f"/api/batches/{show('batch', batch_id)}/why"):
        assert body_of(api.get(path)) == {"reasons": [expected]}
        assert foreign(client, alive).get(path).status_code == 404
    for kind, plural in (("job", "jobs"), ("batch", "batches")):
        assert api.get(f"/api/{plural}/{unknown(kind)}/why").status_code == 404  # type: ignore[arg-type]  # both are kinds


def test_an_open_job_is_never_without_a_reason_and_one_that_is_over_has_none(
    alive: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(alive, "a", "b", max_attempts=2)
    outcomes: list[Any] = [
        Unknown("http_503", "?", 503),
        Accepted("task-1", 200),
        None,
        Held("rate_limited", "slow", 9.0),
    ]
    for number in range(40):
        for claimed in take(alive):
            record(alive, claimed, outcomes[number % 4])
        for name, state in zip(("job-0", "job-1"), states(alive, batch_id), strict=True):
            is_open = state in {"queued", "submitting", "waiting"}
            assert bool(of_job(alive, batch_id, name)) is is_open, (number, state)
        clock.tick(20)
        sweep(alive)
    assert set(states(alive, batch_id)) == {"failed"}
