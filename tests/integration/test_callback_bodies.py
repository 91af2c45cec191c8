"""The bodies of callbacks: whatever one says, it is kept, and an answer in it is found."""

from uuid import UUID

import pytest
from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory

from app import create_app
from app.providers.base import Submission
from app.runtime import Runtime
from tests.conftest import MakeRuntime
from tests.factories import deliver, drain, inbox_rows, job, outcomes, states, submit, take_one, token_of
from tests.fakes import FakeProvider, success, unrecognised


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


MALFORMED = {
    "empty": b"",
    "not JSON": b"status=done",
    "cut off": success("x")[:-9],
    "not an object": b"[1, 2]",
    "neither status nor error": b'{"id": "task-1"}',
    "not UTF-8": b'{"status": "\xff\xfe"}',
    "NUL inside": b'{"status": [{"status": {"code": "0"}, "response": {"output": "a\\u0000b"}}]}',
    "lone surrogate": b'{"status": [{"status": {"code": "0"}, "response": {"output": "a\\ud800"}}]}',
    "infinite": b'{"status": [], "x": 1e999}',
    "deeply nested": b"[" * 100_000,
    "endless number": b'{"id": ' + b"9" * 5_000 + b', "status": []}',
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_body_is_kept_as_invalid_and_completes_nothing(
    runtime: Runtime, client: FlaskClient, batch_id: UUID, submitted: Submission, name: str
) -> None:
    before = job(runtime, batch_id)
    assert _post(client, submitted, MALFORMED[name]) == 200
    (row,) = inbox_rows(runtime)
    found = job(runtime, batch_id)
    assert (row.outcome, bytes(row.body)) == ("invalid", MALFORMED[name])
    assert row.detail
    assert (found.job, found.attempts, found.result) == (before.job, before.attempts, None)


def test_a_good_body_after_a_malformed_one_completes_the_job(
    runtime: Runtime, batch_id: UUID, submitted: Submission
) -> None:
    deliver(runtime, submitted, b"oops")
    deliver(runtime, submitted, success("well"))
    assert (states(runtime, batch_id), outcomes(job(runtime, batch_id))) == (["completed"], ["invalid", "applied"])


ODD = {
    "an endless id": success("odd", task_id="x" * 5_000),
    "an empty id": success("odd", task_id=""),
    "an id that is a number": success("odd").replace(b'"from_cache"', b'"id": 17, "from_cache"'),
    "an id that is a list": success("odd").replace(b'"from_cache"', b'"id": [1], "from_cache"'),
    "a charge beyond all measure": success("odd", charge="1e30"),
    "a charge of many digits": success("odd", charge="9" * 60),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_field_does_not_keep_an_answer_from_its_job(runtime: Runtime, client: FlaskClient, name: str) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    assert _post(client, claimed.submission, ODD[name]) == 200
    found = job(runtime, batch_id)
    assert (found.job.state, outcomes(found)) == ("completed", ["applied"])


def test_of_a_body_that_is_too_large_the_first_64_kilobytes_are_kept_as_invalid(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(max_callback_bytes=100_000)
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    body = success("x" * 100_000)
    assert _post(create_app(runtime).test_client(), claimed.submission, body) == 413
    (row,) = inbox_rows(runtime)
    assert (row.outcome, bytes(row.body)) == ("invalid", body[:65_536])
    assert states(runtime, batch_id) == ["submitting"]


def test_a_body_of_just_the_limit_is_taken(make_runtime: MakeRuntime) -> None:
    body = success("x" * 1000)
    runtime = make_runtime(max_callback_bytes=len(body))
    batch_id = submit(runtime, "a")
    deliver(runtime, take_one(runtime).submission, body)
    assert states(runtime, batch_id) == ["completed"]


def test_text_that_is_not_recognised_fails_the_job_keeps_the_cost_and_is_not_bought_again(
    clock: FrozenDateTimeFactory, runtime: Runtime, provider: FakeProvider, batch_id: UUID, submitted: Submission
) -> None:
    deliver(runtime, submitted, unrecognised(task_id="task-1"))
    clock.tick(1000)
    drain(runtime)
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.error_code) == ("failed", "text_not_recognised")
    assert str(found.attempts[0].cost) == "0.000200000"
    assert len(provider.submissions) == 1
