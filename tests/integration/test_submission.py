"""Submission: what becomes of a job when the provider has answered its submit, and when something breaks on the way."""

import threading
from datetime import timedelta

import pytest
from freezegun.api import FrozenDateTimeFactory

from app.clock import now
from app.errors import DatabaseUnavailable
from app.ids import show
from app.providers.base import Accepted, Held, Rejected, Submission, SubmitOutcome
from app.runtime import Runtime
from app.services.outcomes import STOPPING_SECONDS
from tests.conftest import MakeRuntime
from tests.factories import (
    attempt_states,
    batch,
    counts,
    database_is_away,
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
)
from tests.fakes import FakeProvider, failure, success


def test_an_accepted_job_waits_for_its_callback_until_the_deadline(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a")
    drain(runtime)
    found = job(runtime, batch_id)
    (attempt,) = found.attempts
    assert (found.job.state, found.job.due_at) == ("waiting", now() + timedelta(seconds=60))
    assert (attempt.state, attempt.provider_task_id, attempt.http_status) == ("waiting", "task-1", 200)
    assert attempt.sent_at == attempt.acked_at == now()


def test_a_result_completes_its_job_with_text_cost_and_source(runtime: Runtime, provider: FakeProvider) -> None:
    batch_id = submit(runtime, "a")
    drain(runtime)
    deliver(runtime, provider.submissions[0], success("Nile, Po, Ebro", task_id="task-1", charge="0.0002"))
    found = job(runtime, batch_id)
    assert found.result is not None
    assert (found.result.text, found.result.source) == ("Nile, Po, Ebro", "callback")
    assert (found.job.state, found.job.due_at, attempt_states(found)) == ("completed", None, ["completed"])
    assert str(found.attempts[0].cost) == str(batch(runtime, batch_id).cost) == "0.000200000"


def test_every_answer_meets_the_job_that_asked(runtime: Runtime, provider: FakeProvider) -> None:
    batch_id = submit(runtime, *"abcdefgh")
    drain(runtime)
    for submitted in reversed(provider.submissions):
        deliver(runtime, submitted, success(f"answer to {submitted.text_data}", metadata=submitted.metadata))
    answered = [job(runtime, batch_id, f"job-{number}") for number in range(8)]
    assert [found.result and found.result.text for found in answered] == [f"answer to {text}" for text in "abcdefgh"]


def test_a_job_that_the_provider_refuses_for_good_fails_at_once(runtime: Runtime, provider: FakeProvider) -> None:
    provider.script.append(Rejected("http_422", "HTTP 422: no", 422))
    batch_id = submit(runtime, "a")
    drain(runtime)
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.error_code, found.job.attempts) == ("failed", "http_422", 1)
    assert (found.attempts[0].state, found.attempts[0].http_status) == ("failed", 422)
    assert batch(runtime, batch_id).status == "completed"
    assert len(provider.submissions) == 1


def test_a_submit_that_breaks_inside_us_is_an_unknown_outcome(runtime: Runtime, provider: FakeProvider) -> None:
    def break_down(_: Submission) -> SubmitOutcome:
        raise ZeroDivisionError

    provider.script.append(break_down)
    batch_id = submit(runtime, "a", "b")
    drain(runtime)
    states_of_attempts = sorted(attempt_states(job(runtime, batch_id, f"job-{n}"))[0] for n in range(2))
    assert states_of_attempts == ["unknown", "waiting"]
    assert states(runtime, batch_id) == ["waiting", "waiting"]


def test_numbers_of_attempts_have_no_gaps_whatever_became_of_each(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    provider.script.extend([Held("unreachable", "no route"), Accepted("t-2", 200), Held("rate_limited", "slow", 1.0)])
    batch_id = submit(runtime, "a")
    drain(runtime)
    clock.tick(2)
    drain(runtime)
    deliver(runtime, provider.submissions[1], failure("5"))
    for _ in range(2):
        clock.tick(2)
        drain(runtime)
    found = job(runtime, batch_id)
    assert [attempt.number for attempt in found.attempts] == [1, 2, 3, 4]
    assert attempt_states(found) == ["refused", "failed", "refused", "waiting"]
    assert found.job.attempts == 2


def test_the_retries_of_a_batch_are_the_submits_beyond_the_first_that_may_have_been_bought(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    provider.script.append(Held("unreachable", "no route"))
    batch_id = submit(runtime, "a")
    drain(runtime)
    clock.tick(2)
    drain(runtime)
    assert batch(runtime, batch_id).retries == 0
    deliver(runtime, provider.submissions[1], failure("5"))
    clock.tick(2)
    drain(runtime)
    assert batch(runtime, batch_id).retries == 1


def test_an_ack_whose_record_meets_a_database_that_is_away_is_recorded_later(
    runtime: Runtime, provider: FakeProvider
) -> None:
    batch_id = submit(runtime, "a")
    drain(interposed(runtime, before={2: database_is_away}))  # 1 claims, 2 records
    found = job(runtime, batch_id)
    assert (found.job.state, found.attempts[0].provider_task_id) == ("waiting", "task-1")


def test_an_ack_is_kept_though_the_database_comes_back_only_after_the_lease(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    def away_for_longer_than_the_lease() -> None:
        clock.tick(runtime.settings.lease_seconds + 1)
        database_is_away()

    batch_id = submit(runtime, "a")
    drain(interposed(runtime, before={2: away_for_longer_than_the_lease}))  # 1 claims, 2 records
    found = job(runtime, batch_id)
    assert (found.job.state, found.attempts[0].provider_task_id) == ("waiting", "task-1")


def test_a_worker_that_is_told_to_stop_does_not_wait_for_the_database_and_logs_what_it_knows(
    runtime: Runtime, clock: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    def away_while_the_worker_stops() -> None:
        runtime.stopping.set()
        clock.tick(STOPPING_SECONDS)
        database_is_away()

    batch_id = submit(runtime, "a")
    drain(interposed(runtime, before=dict.fromkeys((2, 3), away_while_the_worker_stops)))
    (attempt,) = job(runtime, batch_id).attempts
    told = [vars(record) for record in caplog.records if record.message == "record_given_up"]
    assert [(each["attempt_id"], each["task_id"]) for each in told] == [(show("attempt", attempt.id), "task-1")]
    clock.tick(runtime.settings.lease_seconds)
    runtime.stopping.clear()  # as in the process that comes next
    sweep(runtime)
    assert attempt_states(job(runtime, batch_id)) == ["unknown"]


def test_a_refusal_whose_record_was_committed_unnoticed_counts_once(runtime: Runtime, provider: FakeProvider) -> None:
    provider.script.append(Held("rate_limited", "slow", 1000.0))
    batch_id = submit(runtime, "a")
    drain(interposed(runtime, after={2: database_is_away}))  # 1 claims, 2 records and is recorded again
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.attempts, attempt_states(found)) == ("queued", 0, ["refused"])


@pytest.mark.parametrize("error", [DatabaseUnavailable("away"), AssertionError("ours")], ids=["database", "fault"])
def test_answers_still_on_their_way_are_recorded_when_a_claim_goes_wrong(
    runtime: Runtime, provider: FakeProvider, error: Exception
) -> None:
    went_wrong = threading.Event()

    def fail_the_claim() -> None:
        went_wrong.set()
        raise error

    def answer_late(_: Submission) -> SubmitOutcome:
        assert went_wrong.wait(10)
        return Accepted("late", 200)

    def answer(submitted: Submission) -> SubmitOutcome:
        return answer_late(submitted) if submitted.text_data == "late" else Accepted("early", 200)

    provider.script.extend([answer, answer])
    batch_id = submit(runtime, "early", "late")
    try:
        drain(interposed(runtime, before={3: fail_the_claim}))  # 1 claims both, 2 records the early one, 3 claims
    except type(error):
        went_wrong.set()
    runtime.sending["hive_v2"].close()
    late = job(runtime, batch_id, "job-1")
    assert (late.job.state, late.attempts[0].provider_task_id) == ("waiting", "late")


def test_an_ack_that_comes_after_the_lease_has_ended_is_still_an_ack(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    clock.tick(15)
    sweep(runtime)
    assert attempt_states(job(runtime, batch_id)) == ["unknown"]
    record(runtime, claimed, Accepted("task-1", 200))
    found = job(runtime, batch_id)
    assert attempt_states(found) == ["waiting"]
    assert found.job.due_at == now() + timedelta(seconds=60)


def test_an_ack_that_comes_after_the_attempt_was_given_up_moves_nothing_but_leaves_its_task_id(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    for seconds in (15, 30):
        clock.tick(seconds)
        sweep(runtime)
    record(runtime, claimed, Accepted("task-1", 200))
    found = job(runtime, batch_id)
    assert (found.job.state, attempt_states(found)) == ("queued", ["timed_out"])
    assert found.attempts[0].provider_task_id == "task-1"


def test_all_jobs_are_submitted_however_few_can_be_sent_at_once(runtime: Runtime, provider: FakeProvider) -> None:
    batch_id = submit(runtime, *map(str, range(25)))
    drain(runtime)
    assert counts(runtime, batch_id) == {"waiting": 25}
    assert len({submitted.callback_url for submitted in provider.submissions}) == 25
    assert not take(runtime)


def test_what_waited_too_long_for_a_connection_is_handed_back_and_no_attempt_is_counted(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    runtime = make_runtime(connections=1, max_in_flight=1000)
    provider = runtime.providers["hive_v2"]
    assert isinstance(provider, FakeProvider)

    def take_ages(_: Submission) -> SubmitOutcome:
        clock.tick(15)  # the leases of what was claimed ahead end, and somebody sweeps
        sweep(runtime)
        return Accepted("slow", 200)

    provider.script.extend([Accepted(f"fast-{number}", 200) for number in range(10)] + [take_ages])
    batch_id = submit(runtime, *map(str, range(40)))
    drain(runtime)
    found = [job(runtime, batch_id, f"job-{number}") for number in range(40)]
    assert counts(runtime, batch_id) == {"waiting": 40}
    assert {each.job.attempts for each in found} == {1}
    assert len(provider.submissions) == 40


def test_one_slow_answer_does_not_keep_new_jobs_from_the_connections_that_are_free(
    runtime: Runtime, provider: FakeProvider
) -> None:
    is_under_way, second_came, waited = threading.Event(), threading.Event(), []

    def answer(submitted: Submission) -> SubmitOutcome:
        if submitted.text_data == "slow":
            is_under_way.set()
            waited.append(second_came.wait(5))
        second_came.set()
        return Accepted(f"task-{submitted.text_data}", 200)

    provider.script.extend([answer, answer])
    submit(runtime, "slow")
    draining = threading.Thread(target=drain, args=(runtime,))
    draining.start()
    assert is_under_way.wait(10)
    batch_id = submit(runtime, "new")
    drain(runtime)  # what the ring for the new batch does
    draining.join(20)
    assert (waited, states(runtime, batch_id)) == ([True], ["waiting"])
