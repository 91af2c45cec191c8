"""Late results: the first valid answer of any attempt wins, whenever it comes."""

from uuid import UUID

import pytest
from freezegun.api import FrozenDateTimeFactory

from app.providers.base import Accepted, Held, Rejected
from app.runtime import Runtime
from tests.factories import (
    attempt_states,
    batch,
    counts,
    deliver,
    deliver_together,
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


@pytest.fixture
def batch_id(runtime: Runtime, clock: FrozenDateTimeFactory) -> UUID:
    """A batch whose only job is queued again, because the callback of its first attempt did not come."""
    found = submit(runtime, "a")
    drain(runtime)
    clock.tick(60)
    sweep(runtime)
    assert states(runtime, found) == ["queued"]
    return found


def test_a_late_result_of_a_timed_out_attempt_completes_the_job_and_stops_the_queued_retry(
    runtime: Runtime, provider: FakeProvider, batch_id: UUID, clock: FrozenDateTimeFactory
) -> None:
    deliver(runtime, provider.submissions[0], success("late", task_id="task-1"))
    clock.tick(1000)
    sweep(runtime)
    drain(runtime)
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.error_code, outcomes(found)) == ("completed", None, ["applied"])
    assert (attempt_states(found), len(provider.submissions)) == (["completed"], 1)


def test_a_late_result_while_the_next_attempt_is_on_its_way_supersedes_it(
    runtime: Runtime, provider: FakeProvider, batch_id: UUID, clock: FrozenDateTimeFactory
) -> None:
    clock.tick(2)
    second = take_one(runtime)
    deliver(runtime, provider.submissions[0], success("late"))
    assert attempt_states(job(runtime, batch_id)) == ["completed", "superseded"]
    record(runtime, second, Accepted("task-2", 200))
    found = job(runtime, batch_id)
    assert (found.job.state, attempt_states(found)) == ("completed", ["completed", "superseded"])
    assert found.attempts[1].provider_task_id == "task-2"


@pytest.mark.parametrize("outcome", [Held("rate_limited", "slow", 5.0), Rejected("http_400", "no", 400), None])
def test_whatever_the_provider_says_to_a_superseded_attempt_the_job_stays_completed(
    runtime: Runtime,
    provider: FakeProvider,
    batch_id: UUID,
    clock: FrozenDateTimeFactory,
    outcome: Held | Rejected | None,
) -> None:
    clock.tick(2)
    second = take_one(runtime)
    deliver(runtime, provider.submissions[0], success("late"))
    before = job(runtime, batch_id)
    record(runtime, second, outcome)
    after = job(runtime, batch_id)
    assert (after.job, attempt_states(after)) == (before.job, ["completed", "superseded"])


def test_a_late_result_while_the_next_attempt_waits_supersedes_it_and_its_cost_is_still_counted(
    runtime: Runtime, provider: FakeProvider, batch_id: UUID, clock: FrozenDateTimeFactory
) -> None:
    clock.tick(2)
    drain(runtime)
    first, second = provider.submissions
    deliver(runtime, first, success("first", charge="0.1"))
    deliver(runtime, second, success("second", charge="0.2"))
    found = job(runtime, batch_id)
    assert found.result is not None
    assert (found.result.text, attempt_states(found)) == ("first", ["completed", "superseded"])
    assert outcomes(found) == ["applied", "late"]
    assert str(batch(runtime, batch_id).cost) == "0.300000000"


def test_a_late_failure_of_a_given_up_attempt_is_kept_and_changes_nothing(
    runtime: Runtime, provider: FakeProvider, batch_id: UUID, clock: FrozenDateTimeFactory
) -> None:
    clock.tick(2)
    drain(runtime)
    before = job(runtime, batch_id)
    deliver(runtime, provider.submissions[0], failure("9"))
    after = job(runtime, batch_id)
    assert (after.job, attempt_states(after), outcomes(after)) == (before.job, ["timed_out", "waiting"], ["late"])


def test_the_first_of_two_attempts_that_answers_wins(
    runtime: Runtime, provider: FakeProvider, batch_id: UUID, clock: FrozenDateTimeFactory
) -> None:
    clock.tick(2)
    drain(runtime)
    first, second = provider.submissions
    assert deliver_together(runtime, (second, success("second")), (first, success("first"))) == ["applied", "late"]
    found = job(runtime, batch_id)
    assert found.result is not None
    assert (found.result.text, attempt_states(found)) == ("second", ["timed_out", "completed"])


def test_a_late_result_completes_a_job_that_has_failed_and_corrects_the_counts_of_its_finalized_batch(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a", "b", max_attempts=1)
    drain(runtime)
    clock.tick(60)
    sweep(runtime)
    before = batch(runtime, batch_id)
    assert (counts(runtime, batch_id), before.status) == ({"failed": 2}, "completed")
    clock.tick(3600)
    deliver(runtime, provider.submissions[0], success("very late"))
    after = batch(runtime, batch_id)
    assert counts(runtime, batch_id) == {"completed": 1, "failed": 1}
    assert (after.finalized_at, after.round, after.status) == (before.finalized_at, 1, "completed")
    found = job(runtime, batch_id, "job-0" if provider.submissions[0].text_data == "a" else "job-1")
    assert (found.job.state, found.job.error_code, attempt_states(found)) == ("completed", None, ["completed"])


def test_a_late_result_completes_a_job_that_the_provider_refused_for_good(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    record(runtime, claimed, Rejected("http_400", "no", 400))
    deliver(runtime, claimed.submission, success("after all"))
    assert (states(runtime, batch_id), counts(runtime, batch_id)) == (["completed"], {"completed": 1})


def test_an_answer_for_an_attempt_that_was_refused_completes_the_job(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    record(runtime, claimed, Held("rate_limited", "slow", 100.0))
    deliver(runtime, claimed.submission, success("accepted nevertheless"))
    found = job(runtime, batch_id)
    assert (found.job.state, attempt_states(found)) == ("completed", ["completed"])


def test_a_result_that_comes_after_its_batch_expired_completes_the_job(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a", expires_in_seconds=30)
    claimed = take_one(runtime)
    clock.tick(30)
    sweep(runtime)
    assert (job(runtime, batch_id).job.error_code, batch(runtime, batch_id).status) == ("batch_expired", "expired")
    deliver(runtime, claimed.submission, success("late"))
    after = batch(runtime, batch_id)
    assert (counts(runtime, batch_id), after.status) == ({"completed": 1}, "expired")


def test_callbacks_for_open_and_for_ended_jobs_in_one_group_come_out_right(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    ended_id = submit(runtime, "ended", max_attempts=1)
    ended = take_one(runtime)
    deliver(runtime, ended.submission, failure("5"))
    open_id = submit(runtime, "open-1", "open-2")
    one, two = take(runtime)
    done = deliver_together(
        runtime,
        (one.submission, success("1")),
        (ended.submission, success("late")),
        (ended.submission, b"?"),
        (two.submission, success("2")),
    )
    assert done == ["applied", "applied", "invalid", "applied"]
    assert (states(runtime, ended_id), states(runtime, open_id)) == (["completed"], ["completed", "completed"])
    assert (counts(runtime, ended_id), counts(runtime, open_id)) == ({"completed": 1}, {"completed": 2})
