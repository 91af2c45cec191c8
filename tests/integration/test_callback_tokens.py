"""Callback tokens: a good one opens its attempt, every other one gets the same 404 and leaves nothing behind."""

from dataclasses import replace
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from app import create_app, ids
from app.db import Database
from app.errors import NotFound
from app.runtime import Runtime
from app.services import batches, callbacks
from app.tokens import CallbackSubject, TokenSigner
from tests.conftest import MakeRuntime
from tests.factories import (
    deliver,
    drain,
    inbox_rows,
    interposed,
    job,
    states,
    submit,
    take,
    take_one,
    token_of,
)
from tests.fakes import FakeProvider, failure, success

BODY = success("x")


def _finished(runtime: Runtime) -> tuple[UUID, str]:
    """A batch whose job has failed, and the token of its callback."""
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    deliver(runtime, claimed.submission, failure("9"))
    return batch_id, token_of(claimed.submission)


def _bad_tokens(runtime: Runtime) -> dict[str, str]:
    first, second = (token_of(claimed.submission) for claimed in take(runtime))
    subject = runtime.signer.verify(first)
    assert subject is not None
    deleted_id, deleted = _finished(runtime)
    batches.delete(runtime, None, deleted_id)
    return {
        "guessed": "hello",
        "one character": "A",
        "not base64": "!" * 75,
        "not ASCII": "%C3%A9" * 20,
        "endless": "A" * 5_000,
        "cut": first[:-1],
        "longer": first + "AAAA",
        "another MAC": first[:60] + ("A" if first[60] != "A" else "B") + first[61:],
        "the signature of another": first[:48] + second[48:],
        "another batch": ("A" if first[0] != "A" else "B") + first[1:],
        "foreign": TokenSigner(["another installation's key"]).sign(subject),
        "of a deleted batch": deleted,
    }


def test_every_bad_token_gets_the_answer_of_a_path_that_leads_nowhere(runtime: Runtime, client: FlaskClient) -> None:
    batch_id = submit(runtime, "a", "b")
    tokens = _bad_tokens(runtime)
    nowhere = client.post("/nothing/here", data=BODY)
    for name, token in tokens.items():
        response = client.post(f"/callbacks/hive/{token}", data=BODY)
        same = (response.status, response.data, list(response.headers))
        assert same == ("404 NOT FOUND", nowhere.data, list(nowhere.headers)), name
    assert inbox_rows(runtime) == []
    assert states(runtime, batch_id) == ["submitting", "submitting"]


def test_a_bad_token_is_a_404_even_where_a_good_one_would_get_a_413(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(max_callback_bytes=10)
    response = create_app(runtime).test_client().post("/callbacks/hive/hello", data=b"x" * 100)
    assert (response.status_code, inbox_rows(runtime)) == (404, [])


def test_a_token_outlives_the_rotation_of_its_key_but_not_its_retirement(
    runtime: Runtime, make_runtime: MakeRuntime
) -> None:
    submit(runtime, "a", "b")
    first, second = take(runtime)
    old_key, new_key = runtime.settings.secret_keys[0], "a-new-secret-key-for-tests-of-32-chars"
    deliver(make_runtime(secret_key=f"{new_key},{old_key}"), first.submission, BODY)
    with pytest.raises(NotFound):
        deliver(make_runtime(secret_key=new_key), second.submission, BODY)
    assert [bytes(row.body) for row in inbox_rows(runtime)] == [BODY]


def test_a_token_is_good_as_long_as_its_batch_is_there(runtime: Runtime, client: FlaskClient) -> None:
    batch_id, token = _finished(runtime)
    assert client.post(f"/callbacks/hive/{token}", data=BODY).status_code == 200
    batches.delete(runtime, None, batch_id)
    assert client.post(f"/callbacks/hive/{token}", data=BODY).status_code == 404
    assert inbox_rows(runtime) == []


@pytest.mark.parametrize("transaction", [1, 2])
def test_a_batch_that_is_deleted_while_its_callback_arrives_keeps_nothing_of_it(
    runtime: Runtime, transaction: int
) -> None:
    batch_id, token = _finished(runtime)
    raced = interposed(runtime, before={transaction: lambda: batches.delete(runtime, None, batch_id)})
    with pytest.raises(NotFound):
        callbacks.receive(raced, token, BODY)
    assert inbox_rows(runtime) == []


def test_an_authentic_callback_whose_attempt_is_not_here_is_kept_as_an_orphan(
    runtime: Runtime, client: FlaskClient
) -> None:
    token = runtime.signer.sign(CallbackSubject(ids.new_id(), ids.new_id()))
    statuses = [client.post(f"/callbacks/hive/{token}", data=BODY).status_code for _ in range(2)]
    (row,) = inbox_rows(runtime)
    assert (statuses, row.outcome, row.times, row.job_id) == ([200, 200], "orphan", 2, None)


def test_nothing_is_told_200_while_the_database_is_away(
    runtime: Runtime, provider: FakeProvider, client: FlaskClient
) -> None:
    batch_id = submit(runtime, "a")
    drain(runtime)
    path = f"/callbacks/hive/{token_of(provider.submissions[0])}"
    away = replace(runtime, database=Database("postgresql+psycopg://nobody@127.0.0.1:9/none"))
    response = create_app(away).test_client().post(path, data=BODY)
    assert (response.status_code, inbox_rows(runtime)) == (503, [])
    assert response.headers["Retry-After"]
    assert client.post(path, data=BODY).status_code == 200
    assert job(runtime, batch_id).job.state == "completed"


def test_a_bad_token_is_a_404_while_the_database_is_away(runtime: Runtime) -> None:
    away = replace(runtime, database=Database("postgresql+psycopg://nobody@127.0.0.1:9/none"))
    assert create_app(away).test_client().post("/callbacks/hive/hello", data=BODY).status_code == 404
