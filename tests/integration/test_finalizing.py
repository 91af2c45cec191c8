"""Finalizing: a batch ends once, when its last job has, with numbers that stay true."""

import pytest
from freezegun.api import FrozenDateTimeFactory

from app.clock import now
from app.providers.base import Accepted, Rejected
from app.runtime import Runtime
from app.services import finalizing
from tests.conftest import MakeRuntime
from tests.factories import (
    attempt_states,
    batch,
    counts,
    database_is_away,
    deliver,
    deliver_together,
    drain,
    interposed,
    job,
    record,
    side_by_side,
    states,
    submit,
    sweep,
    take,
    take_one,
)
from tests.fakes import failure, success
from tests.gates import while_uncommitted


def test_a_batch_is_in_progress_until_its_last_job_ends(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(runtime, "a", "b")
    first, second = take(runtime)
    deliver(runtime, first.submission, success("x"))
    assert (batch(runtime, batch_id).status, batch(runtime, batch_id).finalized_at) == ("in_progress", None)
    clock.tick(5)
    deliver(runtime, second.submission, failure("9"))
    ended = batch(runtime, batch_id)
    assert (ended.status, ended.finalized_at) == ("completed", now())
    assert counts(runtime, batch_id) == {"completed": 1, "failed": 1}


def test_a_batch_ends_by_a_refused_submit_too(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    record(runtime, take_one(runtime), Rejected("http_400", "no", 400))
    assert (batch(runtime, batch_id).status, counts(runtime, batch_id)) == ("completed", {"failed": 1})


def test_a_batch_ends_by_a_time_out_too(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(runtime, "a", max_attempts=1)
    drain(runtime)
    clock.tick(60)
    sweep(runtime)
    assert batch(runtime, batch_id).finalized_at == now()


def test_two_last_jobs_that_end_in_two_processes_at_once_finalize_their_batch(
    runtime: Runtime, make_runtime: MakeRuntime
) -> None:
    other = make_runtime()
    for _ in range(10):
        batch_id = submit(runtime, "a", "b")
        first, second = take(runtime)
        side_by_side(
            lambda to=first.submission: deliver(runtime, to, success("x")),
            lambda to=second.submission: deliver(other, to, success("y")),
        )
        assert (batch(runtime, batch_id).status, counts(runtime, batch_id)) == ("completed", {"completed": 2})


def test_the_sweep_finalizes_what_was_missed_and_the_callback_was_still_kept(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    deliver(interposed(runtime, before={2: database_is_away}), claimed.submission, success("x"))
    assert (states(runtime, batch_id), batch(runtime, batch_id).finalized_at) == (["completed"], None)
    clock.tick(5)
    sweep(runtime)
    assert (batch(runtime, batch_id).finalized_at, counts(runtime, batch_id)) == (now(), {"completed": 1})


def test_sweeping_a_finalized_batch_changes_nothing(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(runtime, "a")
    deliver(runtime, take_one(runtime).submission, success("x"))
    before = batch(runtime, batch_id)
    clock.tick(100)
    sweep(runtime)
    assert batch(runtime, batch_id) == before


def test_jobs_that_are_open_when_their_batch_runs_out_of_time_fail_as_expired(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "done", "waiting", "submitting", "queued", expires_in_seconds=10)
    done, waiting, _ = take(runtime, 3)
    deliver(runtime, done.submission, success("x"))
    record(runtime, waiting, Accepted("task-1", 200))
    clock.tick(9)
    sweep(runtime)
    assert states(runtime, batch_id) == ["completed", "waiting", "submitting", "queued"]
    clock.tick(1)
    sweep(runtime)
    found = [job(runtime, batch_id, f"job-{number}") for number in range(4)]
    assert [each.job.error_code for each in found] == [None, "batch_expired", "batch_expired", "batch_expired"]
    assert [attempt_states(each) for each in found] == [["completed"], ["timed_out"], ["timed_out"], []]
    ended = batch(runtime, batch_id)
    assert (ended.status, ended.finalized_at) == ("expired", now())
    assert counts(runtime, batch_id) == {"completed": 1, "failed": 3}


def test_a_batch_that_ended_in_time_is_never_expired(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(runtime, "a", expires_in_seconds=10)
    deliver(runtime, take_one(runtime).submission, success("x"))
    clock.tick(100)
    sweep(runtime)
    assert (batch(runtime, batch_id).status, states(runtime, batch_id)) == ("completed", ["completed"])


def test_a_large_batch_expires_whole_over_several_sweeps(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(runtime, *["x"] * 750, expires_in_seconds=10)
    clock.tick(10)
    assert sweep(runtime).next_at == now()
    assert counts(runtime, batch_id) == {"failed": 500, "queued": 250}
    sweep(runtime)
    assert (counts(runtime, batch_id), batch(runtime, batch_id).status) == ({"failed": 750}, "expired")


@pytest.mark.parametrize("late", [success("late"), failure("5"), b"?"])
def test_the_counts_of_a_finalized_batch_equal_its_jobs_whatever_comes_late(
    runtime: Runtime, late: bytes, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a", "b")
    first, second = take(runtime)
    deliver(runtime, first.submission, success("x"))
    deliver(runtime, second.submission, failure("9"))
    before = batch(runtime, batch_id)
    clock.tick(100)
    deliver(runtime, second.submission, late)
    after, told = batch(runtime, batch_id), states(runtime, batch_id)
    assert {state: told.count(state) for state in told} == counts(runtime, batch_id)
    assert (after.finalized_at, after.status) == (before.finalized_at, "completed")


def test_two_late_results_at_once_are_both_counted_in_their_finalized_batch(
    runtime: Runtime, make_runtime: MakeRuntime
) -> None:
    other = make_runtime()
    batch_id = submit(runtime, "a", "b")
    first, second = (claimed.submission for claimed in take(runtime))
    for submitted in (first, second):
        deliver(runtime, submitted, failure("9"))
    while_uncommitted(
        runtime,
        lambda gated: deliver(gated, first, success("x")),
        lambda: deliver(other, second, success("y")),
        skip=1,  # a late body takes two transactions, and the second completes its job
    )
    assert (states(runtime, batch_id), counts(runtime, batch_id)) == (["completed"] * 2, {"completed": 2})


def test_two_late_results_in_one_group_are_both_counted_in_their_finalized_batch(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a", "b")
    first, second = (claimed.submission for claimed in take(runtime))
    deliver_together(runtime, (first, failure("9")), (second, failure("9")))
    assert batch(runtime, batch_id).finalized_at is not None
    deliver_together(runtime, (first, success("x")), (second, success("y")))
    assert (states(runtime, batch_id), counts(runtime, batch_id)) == (["completed"] * 2, {"completed": 2})


def test_a_job_that_ends_while_its_batch_is_finalized_is_counted(runtime: Runtime, make_runtime: MakeRuntime) -> None:
    other = make_runtime()
    batch_id = submit(runtime, "a", "b")
    first, second = (claimed.submission for claimed in take(runtime))
    deliver(runtime, first, failure("9"))
    deliver(interposed(runtime, before={2: database_is_away}), second, success("y"))
    while_uncommitted(
        runtime, lambda gated: finalizing.finalize(gated, [batch_id]), lambda: deliver(other, first, success("x"))
    )
    assert (states(runtime, batch_id), counts(runtime, batch_id)) == (["completed"] * 2, {"completed": 2})
