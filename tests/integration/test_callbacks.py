"""Callbacks: each is kept as it came, applied once, and told 200 whatever it said."""

import hashlib
import json
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory

from app.clock import now
from app.providers.base import Accepted, Submission
from app.runtime import Runtime
from tests.factories import (
    attempt_states,
    batch,
    calling_back,
    deliver,
    drain,
    inbox_rows,
    job,
    outcomes,
    record,
    states,
    submit,
    take_one,
    token_of,
)
from tests.fakes import FakeProvider, failure, success


@pytest.fixture
def batch_id(runtime: Runtime) -> UUID:
    """A batch whose only job waits for its callback, as task-1."""
    found = submit(runtime, "a")
    drain(runtime)
    return found


@pytest.fixture
def submitted(batch_id: UUID, provider: FakeProvider) -> Submission:
    return provider.submissions[0]


def _post(client: FlaskClient, submitted: Submission, body: bytes) -> int:
    return client.post(f"/callbacks/hive/{token_of(submitted)}", data=body).status_code


def test_a_callback_is_kept_byte_for_byte(
    runtime: Runtime, client: FlaskClient, batch_id: UUID, submitted: Submission
) -> None:
    body = b'\n  {"status" : [ {"status":{"code":"0"},"response":{"output":"caf\xc3\xa9"}} ], "more": 1e2}\r\n'
    assert _post(client, submitted, body) == 200
    (row,) = inbox_rows(runtime)
    assert (bytes(row.body), row.sha256) == (body, hashlib.sha256(body).hexdigest())
    assert (row.batch_id, row.times, row.outcome, row.source) == (batch_id, 1, "applied", "callback")
    assert states(runtime, batch_id) == ["completed"]


def test_a_callback_that_comes_before_the_ack_is_applied(runtime: Runtime, provider: FakeProvider) -> None:
    provider.script.append(calling_back(runtime, success("early", task_id="task-1")))
    batch_id = submit(runtime, "a")
    drain(runtime)
    found = job(runtime, batch_id)
    assert (found.job.state, outcomes(found), attempt_states(found)) == ("completed", ["applied"], ["completed"])
    assert found.result is not None
    assert found.result.text == "early"
    assert (found.attempts[0].provider_task_id, found.attempts[0].http_status) == ("task-1", 200)


def test_a_failure_that_comes_before_the_ack_is_not_undone_by_it(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    provider.script.append(calling_back(runtime, failure("5", task_id="task-1")))
    batch_id = submit(runtime, "a")
    drain(runtime)
    found = job(runtime, batch_id)
    assert (found.job.state, attempt_states(found), outcomes(found)) == ("queued", ["failed"], ["applied"])
    assert found.attempts[0].acked_at == now()


def test_the_ack_of_a_job_that_its_callback_completed_long_ago_changes_nothing(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    deliver(runtime, claimed.submission, success("early", task_id="task-1"))
    ended = batch(runtime, batch_id)
    clock.tick(5)
    record(runtime, claimed, Accepted("task-1", 200))
    found = job(runtime, batch_id)
    assert (found.job.state, attempt_states(found)) == ("completed", ["completed"])
    assert (batch(runtime, batch_id), ended.status) == (ended, "completed")


def test_a_duplicate_changes_nothing_but_times(
    clock: FrozenDateTimeFactory, runtime: Runtime, client: FlaskClient, batch_id: UUID, submitted: Submission
) -> None:
    body = success("once", task_id="task-1")
    assert _post(client, submitted, body) == 200
    before, (first,) = job(runtime, batch_id), inbox_rows(runtime)
    clock.tick(7)
    assert [_post(client, submitted, body) for _ in range(2)] == [200, 200]
    after, (row,) = job(runtime, batch_id), inbox_rows(runtime)
    assert (row.times, row.last_received_at, row.received_at) == (3, now(), first.received_at)
    assert (after.job, after.attempts, after.result) == (before.job, before.attempts, before.result)
    assert (row.outcome, row.id) == ("applied", first.id)
    assert (batch(runtime, batch_id).duplicates, batch(runtime, batch_id).late) == (2, 0)


def test_a_repeat_that_differs_in_its_bytes_is_kept_as_late(
    runtime: Runtime, batch_id: UUID, submitted: Submission
) -> None:
    body = success("once", task_id="task-1")
    deliver(runtime, submitted, body)
    deliver(runtime, submitted, json.dumps(json.loads(body) | {"resent_on": "2026-03-01", "resent_by": 1}).encode())
    found = job(runtime, batch_id)
    assert (outcomes(found), found.job.state) == (["applied", "late"], "completed")
    assert batch(runtime, batch_id).late == 1


def test_a_second_answer_never_replaces_the_first(runtime: Runtime, batch_id: UUID, submitted: Submission) -> None:
    deliver(runtime, submitted, success("first"))
    deliver(runtime, submitted, success("second"))
    found = job(runtime, batch_id)
    assert found.result is not None
    assert (found.result.text, outcomes(found)) == ("first", ["applied", "late"])


def test_a_failure_after_the_answer_changes_nothing(runtime: Runtime, batch_id: UUID, submitted: Submission) -> None:
    deliver(runtime, submitted, success("first"))
    deliver(runtime, submitted, failure("9"))
    found = job(runtime, batch_id)
    assert (found.job.state, attempt_states(found), outcomes(found)) == (
        "completed",
        ["completed"],
        ["applied", "late"],
    )


@pytest.mark.parametrize("known_by", ["ack", "earlier callback"])
def test_an_id_that_contradicts_the_stored_task_id_is_kept_as_a_conflict(
    runtime: Runtime, client: FlaskClient, known_by: str
) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    if known_by == "ack":
        record(runtime, claimed, Accepted("task-1", 200))
    else:
        deliver(runtime, claimed.submission, failure("5", task_id="task-1"))
    before = job(runtime, batch_id)
    assert _post(client, claimed.submission, success("whose?", task_id="task-2")) == 200
    found = job(runtime, batch_id)
    assert outcomes(found)[-1] == "conflict"
    assert (found.job, found.attempts, found.result) == (before.job, before.attempts, None)


@pytest.mark.parametrize("body", [success("whose?", metadata="job_other"), failure("9", metadata="job_other")])
def test_metadata_of_another_job_is_kept_as_a_conflict(
    runtime: Runtime, client: FlaskClient, batch_id: UUID, submitted: Submission, body: bytes
) -> None:
    before = job(runtime, batch_id)
    assert _post(client, submitted, body) == 200
    found = job(runtime, batch_id)
    assert outcomes(found) == ["conflict"]
    assert (found.job, found.attempts, found.result) == (before.job, before.attempts, None)


def test_the_right_answer_still_counts_after_a_conflict(
    runtime: Runtime, batch_id: UUID, submitted: Submission
) -> None:
    deliver(runtime, submitted, success("whose?", task_id="task-2"))
    deliver(runtime, submitted, success("mine", task_id="task-1", metadata=submitted.metadata))
    found = job(runtime, batch_id)
    assert (found.job.state, outcomes(found)) == ("completed", ["conflict", "applied"])
