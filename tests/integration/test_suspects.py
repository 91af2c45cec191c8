"""Suspects: jobs whose last worker may have died of them go alone, until one survives them."""

import threading

from freezegun.api import FrozenDateTimeFactory
from sqlalchemy import func, select

from app.models import attempts
from app.providers.base import Accepted, Submission, SubmitOutcome
from app.runtime import Runtime
from tests.factories import (
    drain,
    record,
    states,
    submit,
    sweep,
    take,
    take_one,
)
from tests.fakes import FakeProvider


def _suspects(runtime: Runtime, clock: FrozenDateTimeFactory, *texts: str) -> None:
    """Make these prompts jobs whose worker died with them, and that are due again."""
    submit(runtime, *texts)
    take(runtime)
    for seconds in (15, 30, 2):  # the lease, the grace, the backoff
        clock.tick(seconds)
        sweep(runtime)


def test_jobs_that_may_have_killed_their_worker_go_alone(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    _suspects(runtime, clock, "s", "t")
    assert not take(runtime, is_idle=False)
    submit(runtime, "plain")
    taken = [[claimed.submission.text_data for claimed in take(runtime)] for _ in range(3)]
    assert [sorted(texts) for texts in taken] in ([["s"], ["t"], ["plain"]], [["t"], ["s"], ["plain"]])


def test_a_busy_process_passes_a_suspect_over_for_a_while_and_then_becomes_idle_for_it(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    _suspects(runtime, clock, "s")
    submit(runtime, "soon", "later")
    assert [claimed.submission.text_data for claimed in take(runtime, 1, is_idle=False)] == ["soon"]
    clock.tick(60)
    assert not take(runtime, is_idle=False)
    assert [claimed.submission.text_data for claimed in take(runtime)] == ["s"]


def test_a_drain_sends_suspects_one_at_a_time(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    _suspects(runtime, clock, "s", "t", "u")
    batch_id = submit(runtime, "plain")
    beside: dict[str, int] = {}

    def look(submitted: Submission) -> SubmitOutcome:
        on_their_way = select(func.count()).where(attempts.c.state == "submitting")
        with runtime.database.reading() as connection:
            beside[submitted.text_data] = connection.execute(on_their_way).scalar_one()
        return Accepted(f"task-{submitted.text_data}", 200)

    provider.script.extend([look] * 4)
    drain(runtime)
    assert [beside[text] for text in "stu"] == [1, 1, 1]
    assert states(runtime, batch_id) == ["waiting"]


def test_nothing_joins_a_suspect_on_its_way_however_long_it_takes(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    _suspects(runtime, clock, "s")
    submit(runtime, "plain")
    has_company, was_joined = threading.Event(), []

    def answer(submitted: Submission) -> SubmitOutcome:
        if submitted.text_data == "s":
            was_joined.append(has_company.wait(0.3))  # longer than a drain waits before it looks again
        has_company.set()
        return Accepted(f"task-{submitted.text_data}", 200)

    provider.script.extend([answer, answer])
    drain(runtime)
    assert (was_joined, len(provider.submissions)) == ([False], 2)


def test_a_job_that_its_next_worker_survived_is_no_suspect_any_more(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    _suspects(runtime, clock, "s")
    submit(runtime, "plain")
    record(runtime, take_one(runtime), Accepted("task-1", 200))
    for seconds in (60, 4):  # its callback is lost, and the backoff passes
        clock.tick(seconds)
        sweep(runtime)
    assert sorted(claimed.submission.text_data for claimed in take(runtime)) == ["plain", "s"]


def test_a_suspect_that_was_handed_back_unsent_is_still_one(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    _suspects(runtime, clock, "s")
    submit(runtime, "plain")
    record(runtime, take_one(runtime), None)
    assert [claimed.submission.text_data for claimed in take(runtime)] == ["s"]
