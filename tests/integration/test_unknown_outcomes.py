"""Unknown outcomes: a submit that may have been accepted is waited for before it is bought again."""

from datetime import timedelta
from uuid import UUID

import pytest
from freezegun.api import FrozenDateTimeFactory

from app.clock import now
from app.providers.base import Unknown
from app.runtime import Runtime
from app.services.claims import Claim
from tests.factories import (
    attempt_states,
    deliver,
    drain,
    job,
    outcomes,
    record,
    states,
    submit,
    sweep,
    take,
    take_one,
)
from tests.fakes import FakeProvider, failure, success

CUT_OFF = Unknown("connection_lost", "reset by peer")
GRACE = timedelta(seconds=30)
MOMENT = timedelta(microseconds=1)


@pytest.fixture
def batch_id(runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory) -> UUID:
    """A batch whose only job was cut off while it was submitted."""
    provider.script.append(CUT_OFF)
    found = submit(runtime, "a")
    drain(runtime)
    return found


def test_a_submit_that_was_cut_off_waits_its_grace(runtime: Runtime, batch_id: UUID) -> None:
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.due_at, found.job.attempts) == ("waiting", now() + GRACE, 1)
    assert (found.attempts[0].state, found.attempts[0].error_code) == ("unknown", "connection_lost")
    assert found.attempts[0].sent_at == now()


def test_it_is_submitted_again_only_after_its_grace_and_a_backoff(
    runtime: Runtime, provider: FakeProvider, batch_id: UUID, clock: FrozenDateTimeFactory
) -> None:
    clock.tick(GRACE - MOMENT)
    sweep(runtime)
    drain(runtime)
    assert (states(runtime, batch_id), len(provider.submissions)) == (["waiting"], 1)
    clock.tick(MOMENT)
    sweep(runtime)
    assert (states(runtime, batch_id), take(runtime)) == (["queued"], [])
    clock.tick(2)
    drain(runtime)
    found = job(runtime, batch_id)
    assert (attempt_states(found), found.job.attempts) == (["timed_out", "waiting"], 2)
    assert found.attempts[0].error_code == "connection_lost"


def test_a_callback_during_the_grace_completes_it(
    runtime: Runtime, provider: FakeProvider, batch_id: UUID, clock: FrozenDateTimeFactory
) -> None:
    clock.tick(29)
    deliver(runtime, provider.submissions[0], success("it was accepted", task_id="task-9"))
    clock.tick(1000)
    sweep(runtime)
    drain(runtime)
    found = job(runtime, batch_id)
    assert (found.job.state, attempt_states(found), len(provider.submissions)) == ("completed", ["completed"], 1)
    assert (found.attempts[0].provider_task_id, found.attempts[0].error_code) == ("task-9", None)


def test_a_failed_task_during_the_grace_is_known_and_retried_without_waiting_it_out(
    runtime: Runtime, provider: FakeProvider, batch_id: UUID, clock: FrozenDateTimeFactory
) -> None:
    deliver(runtime, provider.submissions[0], failure("5"))
    clock.tick(2)
    drain(runtime)
    assert attempt_states(job(runtime, batch_id)) == ["failed", "waiting"]


def test_a_callback_that_comes_before_the_cut_is_not_undone_by_it(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    deliver(runtime, claimed.submission, success("fast"))
    record(runtime, claimed, CUT_OFF)
    found = job(runtime, batch_id)
    assert (found.job.state, attempt_states(found), outcomes(found)) == ("completed", ["completed"], ["applied"])


def test_outcomes_that_stay_unknown_use_up_the_attempts(
    runtime: Runtime, provider: FakeProvider, batch_id: UUID, clock: FrozenDateTimeFactory
) -> None:
    provider.script.extend([CUT_OFF] * 5)
    for _ in range(5):
        clock.tick(30)
        sweep(runtime)
        clock.tick(10)
        drain(runtime)
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.error_code, found.job.attempts) == ("failed", "timed_out", 3)
    assert len(provider.submissions) == 3


@pytest.fixture
def lost(runtime: Runtime, clock: FrozenDateTimeFactory) -> Claim:
    """A claim whose worker was killed before it could say anything."""
    submit(runtime, "a")
    return take_one(runtime)


def _batch_of(runtime: Runtime, claimed: Claim) -> UUID:
    subject = runtime.signer.verify(claimed.submission.callback_url.rsplit("/", 1)[1])
    assert subject is not None
    return subject.batch_id


def test_a_worker_killed_between_claim_and_ack_leaves_an_unknown_outcome_when_its_lease_ends(
    runtime: Runtime, lost: Claim, clock: FrozenDateTimeFactory
) -> None:
    batch_id = _batch_of(runtime, lost)
    clock.tick(timedelta(seconds=15) - MOMENT)
    sweep(runtime)
    assert states(runtime, batch_id) == ["submitting"]
    clock.tick(MOMENT)
    sweep(runtime)
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.due_at) == ("waiting", now() + GRACE)
    assert (found.attempts[0].state, found.attempts[0].error_code) == ("unknown", "lease_expired")


def test_what_a_killed_worker_held_is_not_resubmitted_before_its_grace_is_over(
    runtime: Runtime, provider: FakeProvider, lost: Claim, clock: FrozenDateTimeFactory
) -> None:
    batch_id = _batch_of(runtime, lost)
    clock.tick(15)
    for _ in range(2):
        sweep(runtime)
        drain(runtime)
        clock.tick(14)
    assert (states(runtime, batch_id), provider.submissions) == (["waiting"], [])
    clock.tick(2)
    sweep(runtime)
    clock.tick(2)
    drain(runtime)
    found = job(runtime, batch_id)
    assert (attempt_states(found), found.job.attempts) == (["timed_out", "waiting"], 2)
    assert len(provider.submissions) == 1


def test_a_callback_completes_what_a_killed_worker_had_sent(
    runtime: Runtime, lost: Claim, clock: FrozenDateTimeFactory
) -> None:
    batch_id = _batch_of(runtime, lost)
    clock.tick(15)
    sweep(runtime)
    deliver(runtime, lost.submission, success("it had been sent"))
    assert (states(runtime, batch_id), attempt_states(job(runtime, batch_id))) == (["completed"], ["completed"])


def test_a_callback_completes_what_a_killed_worker_had_sent_before_anyone_missed_it(
    runtime: Runtime, lost: Claim, clock: FrozenDateTimeFactory
) -> None:
    batch_id = _batch_of(runtime, lost)
    deliver(runtime, lost.submission, success("it had been sent"))
    clock.tick(1000)
    sweep(runtime)
    assert (states(runtime, batch_id), attempt_states(job(runtime, batch_id))) == (["completed"], ["completed"])


def test_a_job_that_kills_every_worker_runs_out_of_attempts(
    runtime: Runtime, provider: FakeProvider, lost: Claim, clock: FrozenDateTimeFactory
) -> None:
    batch_id = _batch_of(runtime, lost)
    claims = 1
    for _ in range(4):
        for seconds in (15, 30, 10):
            clock.tick(seconds)
            sweep(runtime)
        claims += len(take(runtime))
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.attempts, claims) == ("failed", 3, 3)
