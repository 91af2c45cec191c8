"""Retry: failed and cancelled jobs go again in place, and what is already paid for is not bought again."""

from dataclasses import replace
from uuid import UUID

import pytest
from freezegun.api import FrozenDateTimeFactory

from app.clock import now
from app.errors import Conflict, DatabaseUnavailable, InvalidInput
from app.providers.base import Answer, Origin, Reading
from app.runtime import Runtime
from app.services import batches
from app.services.views import RetryReport
from tests.factories import (
    attempt_states,
    batch,
    counts,
    database_is_away,
    deliver,
    drain,
    interposed,
    job,
    outcomes,
    states,
    submit,
    sweep,
    take,
    take_one,
)
from tests.fakes import FakeProvider, failure, success, unrecognised


def _failed(runtime: Runtime, **fields: float) -> UUID:
    """A finalized batch whose only job failed after one attempt."""
    batch_id = submit(runtime, "a", **fields)
    deliver(runtime, take_one(runtime).submission, failure("9"))
    return batch_id


def test_a_retry_opens_a_finalized_batch_again_in_a_new_round(runtime: Runtime) -> None:
    batch_id = _failed(runtime, max_attempts=2)
    assert batches.retry(runtime, "alice", batch_id, None) == RetryReport(queued=1, salvaged=0)
    found, opened = job(runtime, batch_id), batch(runtime, batch_id)
    assert (found.job.state, found.job.attempts, found.job.max_attempts) == ("queued", 1, 1 + 2)
    assert (found.job.error_code, found.job.finished_at) == (None, None)
    assert (opened.status, opened.round, opened.finalized_at) == ("in_progress", 2, None)
    assert counts(runtime, batch_id) == {"queued": 1}


def test_a_retried_job_goes_on_counting_its_attempts(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    batch_id = _failed(runtime)
    batches.retry(runtime, "alice", batch_id, None)
    drain(runtime)
    clock.tick(5)
    deliver(runtime, provider.submissions[0], success("second try"))
    found = job(runtime, batch_id)
    assert [attempt.number for attempt in found.attempts] == [1, 2]
    assert (found.job.state, batch(runtime, batch_id).finalized_at) == ("completed", now())
    assert counts(runtime, batch_id) == {"completed": 1}


def test_a_retry_of_a_cancelled_job_with_a_stored_answer_costs_nothing(
    runtime: Runtime, provider: FakeProvider
) -> None:
    batch_id = submit(runtime, "a")
    drain(runtime)
    batches.cancel(runtime, "alice", batch_id)
    deliver(runtime, provider.submissions[0], success("paid for", task_id="task-1"))
    assert batches.retry(runtime, "alice", batch_id, None) == RetryReport(queued=0, salvaged=1)
    drain(runtime)
    found, ended = job(runtime, batch_id), batch(runtime, batch_id)
    assert found.result is not None
    assert (found.result.text, found.job.state, attempt_states(found)) == ("paid for", "completed", ["completed"])
    assert (outcomes(found), len(provider.submissions)) == (["applied"], 1)
    assert (ended.status, ended.round, str(ended.cost)) == ("completed", 2, "0.000200000")


def test_a_contradicting_body_is_no_stored_answer(runtime: Runtime, provider: FakeProvider) -> None:
    batch_id = submit(runtime, "a")
    drain(runtime)
    batches.cancel(runtime, "alice", batch_id)
    deliver(runtime, provider.submissions[0], success("whose?", task_id="task-2"))
    assert batches.retry(runtime, "alice", batch_id, None) == RetryReport(queued=1, salvaged=0)
    assert (states(runtime, batch_id), outcomes(job(runtime, batch_id))) == (["queued"], ["conflict"])


class BetterReader(FakeProvider):
    """A provider whose extractor has learned to read what it could not."""

    def read(self, body: bytes) -> Reading:
        return Answer(Origin(), "read at last", 200_000) if b"blob" in body else super().read(body)


def test_a_better_extractor_reads_a_stored_body_without_a_new_submit(runtime: Runtime, provider: FakeProvider) -> None:
    batch_id = submit(runtime, "a")
    drain(runtime)
    deliver(runtime, provider.submissions[0], unrecognised())
    better = replace(runtime, providers={"hive_v2": BetterReader()})
    assert batches.retry(better, "alice", batch_id, None) == RetryReport(queued=0, salvaged=1)
    found = job(runtime, batch_id)
    assert found.result is not None
    assert (found.result.text, found.job.state, found.job.error_code) == ("read at last", "completed", None)


def test_a_late_answer_to_the_round_before_completes_a_retried_job(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    batches.cancel(runtime, "alice", batch_id)
    batches.retry(runtime, "alice", batch_id, None)
    deliver(runtime, claimed.submission, success("from the first round"))
    found = job(runtime, batch_id)
    assert (found.job.state, outcomes(found), attempt_states(found)) == ("completed", ["applied"], ["completed"])
    assert not take(runtime)


def test_a_retry_takes_only_the_jobs_that_it_names(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a", "b", "c")
    for claimed in take(runtime):
        deliver(runtime, claimed.submission, failure("9"))
    batches.retry(runtime, "alice", batch_id, ["job-1"])
    assert states(runtime, batch_id) == ["failed", "queued", "failed"]


def test_a_retry_of_all_leaves_completed_jobs_alone(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a", "b")
    first, second = take(runtime)
    deliver(runtime, first.submission, success("x"))
    deliver(runtime, second.submission, failure("9"))
    batches.retry(runtime, "alice", batch_id, None)
    assert states(runtime, batch_id) == ["completed", "queued"]


def test_a_retry_with_nothing_to_do_leaves_the_batch_as_it_was(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    deliver(runtime, take_one(runtime).submission, success("x"))
    before = batch(runtime, batch_id)
    assert batches.retry(runtime, "alice", batch_id, None) == RetryReport(0, 0)
    assert batch(runtime, batch_id) == before


def test_a_retry_that_names_an_open_or_an_unknown_job_changes_nothing(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a", "b")
    deliver(runtime, take(runtime, 1)[0].submission, failure("9"))
    with pytest.raises(Conflict):
        batches.retry(runtime, "alice", batch_id, ["job-0", "job-1"])
    with pytest.raises(InvalidInput):
        batches.retry(runtime, "alice", batch_id, ["job-0", "job-2"])
    assert (states(runtime, batch_id), batch(runtime, batch_id).round) == (["failed", "queued"], 1)


def test_a_retry_of_an_expired_batch_gives_it_its_whole_time_again(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a", expires_in_seconds=100)
    for _ in range(2):
        clock.tick(150)
        sweep(runtime)
        assert job(runtime, batch_id).job.error_code == "batch_expired"
        batches.retry(runtime, "alice", batch_id, None)
        assert (batch(runtime, batch_id).expires_at - now()).total_seconds() == 100
    assert len(take(runtime)) == 1


def test_a_retry_within_the_time_of_its_batch_does_not_prolong_it(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = _failed(runtime, expires_in_seconds=100)
    before = batch(runtime, batch_id).expires_at
    clock.tick(50)
    batches.retry(runtime, "alice", batch_id, None)
    assert batch(runtime, batch_id).expires_at == before


def test_a_sweep_that_found_the_batch_cancelled_ends_nothing_once_it_is_retried(runtime: Runtime) -> None:
    batch_id = _failed_and_open(runtime)
    with pytest.raises(DatabaseUnavailable):
        batches.cancel(interposed(runtime, before={2: database_is_away}), "alice", batch_id)
    assert batch(runtime, batch_id).status == "cancelling"
    sweep(interposed(runtime, before={1: lambda: batches.retry(runtime, "alice", batch_id, None)}))
    assert (states(runtime, batch_id), batch(runtime, batch_id).status) == (["queued", "queued"], "in_progress")


def test_a_sweep_that_found_the_batch_expired_ends_nothing_once_it_is_retried(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = _failed_and_open(runtime, expires_in_seconds=100)
    clock.tick(100)
    sweep(interposed(runtime, before={1: lambda: batches.retry(runtime, "alice", batch_id, None)}))
    assert (states(runtime, batch_id), batch(runtime, batch_id).status) == (["queued", "queued"], "in_progress")


def test_a_retry_in_the_middle_of_a_cancel_is_the_last_word(runtime: Runtime) -> None:
    batch_id = submit(runtime, *["x"] * 501)
    raced = interposed(runtime, before={3: lambda: batches.retry(runtime, "alice", batch_id, None)})
    batches.cancel(raced, "alice", batch_id)  # 1 marks, 2 ends the first 500, 3 would end the last
    assert (counts(runtime, batch_id), batch(runtime, batch_id).status) == ({"queued": 501}, "in_progress")


def _failed_and_open(runtime: Runtime, **fields: float) -> UUID:
    """A batch with a job that failed and one that is queued."""
    batch_id = submit(runtime, "failed", "open", **fields)
    deliver(runtime, take(runtime, 1)[0].submission, failure("9"))
    return batch_id
