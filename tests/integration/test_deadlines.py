"""Deadlines: what never comes back is submitted again, and given up in the end."""

from datetime import timedelta

import pytest
from freezegun.api import FrozenDateTimeFactory

from app.clock import now
from app.runtime import Runtime
from tests.conftest import MakeRuntime
from tests.factories import (
    attempt_states,
    batch,
    counts,
    deliver,
    drain,
    job,
    outcomes,
    states,
    submit,
    sweep,
    take,
)
from tests.fakes import FakeProvider, failure, success


def test_a_callback_is_not_overdue_before_its_deadline(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(runtime, "a")
    drain(runtime)
    clock.tick(timedelta(seconds=60) - timedelta(microseconds=1))
    sweep(runtime)
    assert states(runtime, batch_id) == ["waiting"]
    clock.tick(timedelta(microseconds=1))
    sweep(runtime)
    assert states(runtime, batch_id) == ["queued"]


def test_a_job_whose_callback_was_lost_waits_its_backoff_before_it_goes_again(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a")
    drain(runtime)
    clock.tick(60)
    sweep(runtime)
    found = job(runtime, batch_id)
    assert (found.job.state, attempt_states(found), found.job.error_code) == ("queued", ["timed_out"], "timed_out")
    assert found.job.due_at is not None
    wait = found.job.due_at - now()
    assert timedelta(seconds=1) <= wait <= timedelta(seconds=2)
    clock.tick(wait - timedelta(microseconds=1))
    assert not take(runtime)
    clock.tick(timedelta(microseconds=1))
    drain(runtime)
    assert attempt_states(job(runtime, batch_id)) == ["timed_out", "waiting"]
    assert len(provider.submissions) == 2


def test_a_job_whose_callbacks_are_all_lost_fails_as_timed_out_after_its_last_attempt(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a")
    for _ in range(10):
        drain(runtime)
        clock.tick(60)
        sweep(runtime)
        clock.tick(100)
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.error_code, found.job.attempts) == ("failed", "timed_out", 3)
    assert (attempt_states(found), found.job.due_at) == (["timed_out"] * 3, None)
    assert len(provider.submissions) == 3
    assert (batch(runtime, batch_id).retries, batch(runtime, batch_id).status) == (2, "completed")


def test_the_waits_between_attempts_grow_and_stay_within_their_bound(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a", max_attempts=9)
    waits = []
    for _ in range(8):
        drain(runtime)
        deliver(runtime, provider.submissions[-1], failure("5"))
        due_at = job(runtime, batch_id).job.due_at
        assert due_at is not None
        waits.append((due_at - now()).total_seconds())
        clock.tick(due_at - now())
    ceilings = [min(100.0, 2.0 * 2**n) for n in range(8)]
    assert all(ceiling / 2 <= wait <= ceiling for wait, ceiling in zip(waits, ceilings, strict=True))


def test_a_failed_task_is_retried_and_its_attempt_says_why(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a")
    drain(runtime)
    deliver(runtime, provider.submissions[0], failure("5"))
    found = job(runtime, batch_id)
    assert (found.job.state, attempt_states(found), found.attempts[0].error_code) == ("queued", ["failed"], "5")
    clock.tick(2)
    drain(runtime)
    deliver(runtime, provider.submissions[1], success("now"))
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.error_code, outcomes(found)) == ("completed", None, ["applied", "applied"])


def test_a_task_that_fails_every_time_fails_its_job_with_the_code_of_the_last(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a", max_attempts=2)
    for code in ("5", "6"):
        drain(runtime)
        deliver(runtime, provider.submissions[-1], failure(code))
        clock.tick(10)
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.error_code, found.job.attempts) == ("failed", "6", 2)


def test_a_task_that_fails_with_a_permanent_code_fails_its_job_at_once(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a")
    drain(runtime)
    deliver(runtime, provider.submissions[0], failure("9"))
    clock.tick(1000)
    drain(runtime)
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.error_code, len(provider.submissions)) == ("failed", "9", 1)


@pytest.mark.parametrize("sweeps", [1, 2])
def test_sweeping_twice_ends_an_attempt_once(runtime: Runtime, clock: FrozenDateTimeFactory, sweeps: int) -> None:
    batch_id = submit(runtime, "a")
    drain(runtime)
    clock.tick(60)
    for _ in range(sweeps):
        sweep(runtime)
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.attempts, attempt_states(found)) == ("queued", 1, ["timed_out"])


def test_a_sweep_that_finds_more_than_a_chunk_asks_to_come_back_at_once(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    runtime = make_runtime(max_in_flight=1000)
    batch_id = submit(runtime, *["x"] * 501)
    take(runtime, 501)
    clock.tick(15)
    assert sweep(runtime).next_at == now()
    assert counts(runtime, batch_id) == {"submitting": 1, "waiting": 500}
    assert sweep(runtime).next_at > now()
    assert counts(runtime, batch_id) == {"waiting": 501}


def test_the_sweep_comes_back_for_the_next_alarm(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    submit(runtime, "a")
    take(runtime)
    clock.tick(13)
    assert sweep(runtime).next_at == now() + timedelta(seconds=2)
