"""Callbacks in front of Flask: the same service, the same answers as the route gives, and no thread that waits."""

from concurrent.futures import ThreadPoolExecutor, wait

from flask.testing import FlaskClient

from app import create_app
from app.api.front import Front
from app.providers.base import Submission
from app.runtime import Runtime
from app.services import batches
from tests.asgi import GONE, Answer, arriving, call
from tests.factories import (
    database_is_away,
    inbox_rows,
    interposed,
    states,
    submit,
    take_one,
    token_of,
    with_settings,
)
from tests.fakes import success
from tests.gates import Gate

GOOD = success("good")


def post(runtime: Runtime, path: str, *bodies: bytes) -> Answer:
    return call(Front(create_app(runtime)), f"POST {path}", arriving(*bodies))


def path_of(submitted: Submission) -> str:
    return f"/callbacks/hive/{token_of(submitted)}"


def as_the_route_answers(client: FlaskClient, path: str, body: bytes) -> tuple[int, bytes, str | None]:
    response = client.post(path, data=body)
    return response.status_code, response.data, response.content_type


def told(answer: Answer) -> tuple[int | None, bytes, str | None]:
    return answer.status, answer.body, answer.headers.get("content-type")


def test_a_callback_is_kept_and_answered_as_by_the_route(runtime: Runtime, client: FlaskClient) -> None:
    batch_id = submit(runtime, "a")
    path = path_of(take_one(runtime).submission)
    answer = post(runtime, path, GOOD[:10], GOOD[10:])
    assert (answer.status, states(runtime, batch_id)) == (200, ["completed"])
    assert told(answer) == as_the_route_answers(client, path, GOOD)
    assert [(row.times, bytes(row.body)) for row in inbox_rows(runtime)] == [(2, GOOD)]


def test_a_bad_token_gets_the_words_of_a_path_that_leads_nowhere(runtime: Runtime, client: FlaskClient) -> None:
    answer = post(runtime, "/callbacks/hive/" + "x" * 75, GOOD)
    assert answer.status == 404
    assert told(answer) == as_the_route_answers(client, "/callbacks/hive/" + "x" * 75, GOOD)
    assert told(answer) == told(post(runtime, "/nothing/here", GOOD))
    assert inbox_rows(runtime) == []


def test_the_callback_of_a_removed_batch_gets_the_same_words(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    path = path_of(take_one(runtime).submission)
    batches.cancel(runtime, "alice", batch_id)
    batches.delete(runtime, None, batch_id)
    assert told(post(runtime, path, GOOD)) == told(post(runtime, "/nothing/here", GOOD))


def test_a_body_that_is_too_long_is_kept_in_part_and_refused(runtime: Runtime) -> None:
    small = with_settings(runtime, runtime.settings.model_copy(update={"max_callback_bytes": 100_000}))
    submit(small, "a")
    path = path_of(take_one(small).submission)
    answer = post(small, path, b"x" * 60_000, b"y" * 60_000)
    assert answer.status == 413
    (row,) = inbox_rows(runtime)
    assert (row.outcome, bytes(row.body)) == ("invalid", b"x" * 60_000 + b"y" * 5536)


def test_with_the_database_away_the_provider_is_asked_to_come_again(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    path = path_of(take_one(runtime).submission)
    answer = post(interposed(runtime, before={1: database_is_away}), path, GOOD)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert (states(runtime, batch_id), inbox_rows(runtime)) == (["submitting"], [])


def test_no_callback_is_answered_before_its_commit_returns(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    path, gate = path_of(take_one(runtime).submission), Gate()
    with ThreadPoolExecutor(1) as clients:
        waiting = clients.submit(post, interposed(runtime, before_commit=gate), path, GOOD)
        assert gate.reached.wait(10)
        done, _ = wait([waiting], 0.2)
        seen_before_the_commit = (done, states(runtime, batch_id))
        gate.open.set()
        assert waiting.result(20).status == 200
    assert seen_before_the_commit == (set(), ["submitting"])
    assert states(runtime, batch_id) == ["completed"]


def test_half_a_callback_is_none(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    path = path_of(take_one(runtime).submission)
    answer = call(Front(create_app(runtime)), f"POST {path}", [*arriving(GOOD, b"")[:1], GONE])
    assert (answer.status, states(runtime, batch_id), inbox_rows(runtime)) == (None, ["submitting"], [])


def test_everything_else_is_flasks(runtime: Runtime) -> None:
    submit(runtime, "a")
    path = path_of(take_one(runtime).submission)
    front = Front(create_app(runtime))
    assert call(front, "GET /healthz", arriving(b"")).status == 200
    assert call(front, f"GET {path}", arriving(b"")).status == 405


def test_an_echo_is_answered_as_by_the_route_and_without_flask(runtime: Runtime, client: FlaskClient) -> None:
    path = f"/callbacks/echo/{runtime.echoes.question()}"
    response = client.get(path)
    app = create_app(runtime)
    app.wsgi_app = None  # type: ignore[assignment,method-assign]  # all of its threads are busy
    answer = call(Front(app), f"GET {path}", arriving(b""))
    assert told(answer) == (response.status_code, response.data, response.content_type)
    assert answer.headers["cache-control"] == response.headers["Cache-Control"] == "no-store"


def test_a_question_that_nobody_here_asked_gets_the_words_of_a_path_that_leads_nowhere(runtime: Runtime) -> None:
    front = Front(create_app(runtime))
    wrong = f"GET /callbacks/echo/{runtime.echoes.question()}A"
    assert told(call(front, wrong, arriving(b""))) == told(call(front, "GET /nothing/here", arriving(b"")))
