"""Look-ups: an overdue task is asked for before it is paid for again."""

from datetime import timedelta
from uuid import UUID

import pytest
from freezegun.api import FrozenDateTimeFactory

from app.clock import now
from app.providers.base import Finished, Lookup, NoReply, Running, Unknown
from app.runtime import Runtime
from app.services import sweeps
from tests.conftest import MakeRuntime
from tests.factories import (
    attempt_states,
    batch,
    counts,
    deliver,
    drain,
    inbox_rows,
    interposed,
    job,
    outcomes,
    record,
    submit,
    sweep,
    take_one,
)
from tests.fakes import FakeProvider, failure, success


@pytest.fixture
def batch_id(runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory) -> UUID:
    """A batch whose only job, task-1 of a provider that can be asked, is overdue."""
    provider.can_read_back = True
    found = submit(runtime, "a")
    drain(runtime)
    clock.tick(60)
    return found


def test_a_task_that_has_finished_completes_its_job_and_is_not_bought_again(
    runtime: Runtime, provider: FakeProvider, batch_id: UUID, clock: FrozenDateTimeFactory
) -> None:
    provider.tasks["task-1"] = Finished(success("read back", task_id="task-1"))
    sweep(runtime)
    clock.tick(1000)
    sweep(runtime)
    drain(runtime)
    found = job(runtime, batch_id)
    assert found.result is not None
    assert (found.result.text, found.result.source) == ("read back", "read_back")
    assert (found.job.state, found.job.attempts, attempt_states(found)) == ("completed", 1, ["completed"])
    assert (inbox_rows(runtime)[0].source, len(provider.submissions)) == ("read_back", 1)
    assert batch(runtime, batch_id).status == "completed"


@pytest.mark.parametrize("answer", [Running(), NoReply("HTTP 503")], ids=["running", "no reply"])
def test_a_task_that_is_or_may_be_still_running_gets_one_more_time_out(
    runtime: Runtime, provider: FakeProvider, batch_id: UUID, clock: FrozenDateTimeFactory, answer: Lookup
) -> None:
    provider.tasks["task-1"] = answer
    sweep(runtime)
    drain(runtime)
    found = job(runtime, batch_id)
    assert (found.job.state, attempt_states(found), len(provider.submissions)) == ("waiting", ["waiting"], 1)
    assert found.job.due_at == now() + timedelta(seconds=60)
    clock.tick(60)
    sweep(runtime)
    assert attempt_states(job(runtime, batch_id)) == ["timed_out"]
    clock.tick(2)
    drain(runtime)
    assert attempt_states(job(runtime, batch_id)) == ["timed_out", "waiting"]


@pytest.mark.parametrize("away_seconds", [61, 3600])
def test_a_running_task_gets_its_second_time_out_also_when_we_were_late_to_ask(
    runtime: Runtime, provider: FakeProvider, batch_id: UUID, clock: FrozenDateTimeFactory, away_seconds: int
) -> None:
    provider.tasks["task-1"] = Running()
    clock.tick(away_seconds)
    sweep(runtime)
    found = job(runtime, batch_id)
    assert (attempt_states(found), found.job.due_at) == (["waiting"], now() + timedelta(seconds=60))
    clock.tick(60)
    sweep(runtime)
    assert attempt_states(job(runtime, batch_id)) == ["timed_out"]


@pytest.mark.parametrize("answer", [Running(), NoReply("HTTP 503")], ids=["running", "no reply"])
def test_a_task_that_finishes_in_its_second_time_out_is_read_back(
    runtime: Runtime, provider: FakeProvider, batch_id: UUID, clock: FrozenDateTimeFactory, answer: Lookup
) -> None:
    provider.tasks["task-1"] = answer
    sweep(runtime)
    provider.tasks["task-1"] = Finished(success("at last"))
    clock.tick(60)
    sweep(runtime)
    assert job(runtime, batch_id).job.state == "completed"


def test_a_sweep_that_was_frozen_gives_up_no_task_that_it_has_not_asked_for(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    provider.can_read_back = True
    batch_id = submit(runtime, "a")
    record(runtime, take_one(runtime), Unknown("http_500", "?", 500))

    def somebody_else_submits_it_again() -> None:
        sweep(runtime)
        clock.tick(2)
        drain(runtime)
        clock.tick(60)

    clock.tick(30)
    sweeps.time_out(interposed(runtime, before={1: somebody_else_submits_it_again}))
    assert (provider.asked, attempt_states(job(runtime, batch_id))) == ([], ["timed_out", "waiting"])
    provider.tasks["task-1"] = Finished(success("in time"))
    sweep(runtime)
    assert (len(provider.submissions), attempt_states(job(runtime, batch_id))) == (1, ["timed_out", "completed"])


def test_a_task_that_the_provider_does_not_know_is_submitted_again(
    runtime: Runtime, provider: FakeProvider, batch_id: UUID, clock: FrozenDateTimeFactory
) -> None:
    sweep(runtime)
    assert (provider.asked, attempt_states(job(runtime, batch_id))) == (["task-1"], ["timed_out"])
    clock.tick(2)
    drain(runtime)
    assert len(provider.submissions) == 2


def test_a_task_that_is_found_to_have_failed_is_retried_by_its_class(
    runtime: Runtime, provider: FakeProvider, batch_id: UUID
) -> None:
    provider.tasks["task-1"] = Finished(failure("5", task_id="task-1"))
    sweep(runtime)
    found = job(runtime, batch_id)
    assert (found.job.state, attempt_states(found), found.attempts[0].error_code) == ("queued", ["failed"], "5")


def test_a_task_that_is_found_to_have_failed_for_good_fails_its_job(
    runtime: Runtime, provider: FakeProvider, batch_id: UUID
) -> None:
    provider.tasks["task-1"] = Finished(failure("9", task_id="task-1"))
    sweep(runtime)
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.error_code) == ("failed", "9")


@pytest.mark.parametrize("body", [b"<html>", success("whose?", task_id="task-2")])
def test_a_task_that_is_read_back_as_nonsense_is_kept_and_counts_as_not_found(
    runtime: Runtime, provider: FakeProvider, batch_id: UUID, body: bytes
) -> None:
    provider.tasks["task-1"] = Finished(body)
    sweep(runtime)
    found = job(runtime, batch_id)
    assert (found.job.state, attempt_states(found)) == ("queued", ["timed_out"])
    assert outcomes(found) in (["invalid"], ["conflict"])


def test_a_callback_that_comes_after_its_task_was_read_back_is_a_duplicate(
    runtime: Runtime, provider: FakeProvider, batch_id: UUID
) -> None:
    body = success("the same", task_id="task-1")
    provider.tasks["task-1"] = Finished(body)
    sweep(runtime)
    deliver(runtime, provider.submissions[0], body)
    (row,) = inbox_rows(runtime)
    assert (row.times, row.source, job(runtime, batch_id).job.state) == (2, "read_back", "completed")


def test_a_task_is_asked_for_before_its_job_is_given_up(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    provider.can_read_back = True
    provider.tasks["task-1"] = Finished(success("just in time"))
    batch_id = submit(runtime, "a", max_attempts=1)
    drain(runtime)
    clock.tick(60)
    sweep(runtime)
    assert counts(runtime, batch_id) == {"completed": 1}


def test_a_provider_that_cannot_be_asked_is_not_asked(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    provider.tasks["task-1"] = Finished(success("hidden"))
    batch_id = submit(runtime, "a")
    drain(runtime)
    clock.tick(60)
    sweep(runtime)
    assert (provider.asked, job(runtime, batch_id).job.state) == ([], "queued")


def test_an_attempt_without_a_task_id_cannot_be_asked_for(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    provider.can_read_back = True
    provider.script.append(Unknown("http_503", "HTTP 503", 503))
    batch_id = submit(runtime, "a")
    drain(runtime)
    clock.tick(30)
    sweep(runtime)
    assert (provider.asked, attempt_states(job(runtime, batch_id))) == ([], ["timed_out"])


def test_no_task_is_given_up_unasked_however_many_are_overdue(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    runtime = make_runtime()
    provider = runtime.providers["hive_v2"]
    assert isinstance(provider, FakeProvider)
    provider.can_read_back = True
    provider.tasks.update({f"task-{number}": Finished(success(f"answer {number}")) for number in range(1, 46)})
    batch_id = submit(runtime, *["x"] * 45)
    while counts(runtime, batch_id).get("waiting") != 45:
        drain(runtime)
    clock.tick(60)
    swept_at_once = [sweep(runtime).next_at == now() for _ in range(3)]
    assert swept_at_once == [True, True, False]
    assert counts(runtime, batch_id) == {"completed": 45}
    assert len(provider.submissions) == 45
