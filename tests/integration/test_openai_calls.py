"""Chat completions one at a time: a batch of one job, and whoever made it waits for the answer."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app import create_app, ids
from app.api.bridge import DISCONNECTED
from app.runtime import Runtime
from app.sandbox import answer_for
from app.services import batches, calls, claims, keys
from app.services.claims import Claim
from tests.chats import LLAMA, chatting, drain
from tests.conftest import MakeRuntime
from tests.factories import database_is_away, interposed
from tests.fakes import failure, success
from tests.integration.conformance import checked_client
from tests.integration.openai_client import ENDPOINT, OpenAi, fault_of
from tests.integration.rest import body_of

ASKED = {"model": "acme/one", "messages": [{"role": "user", "content": "Name a river."}]}


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def client_of(runtime: Runtime) -> OpenAi:
    return OpenAi(checked_client(create_app(runtime)), keys.create(runtime, "alice", "tests").secret)


@pytest.fixture
def api(runtime: Runtime) -> OpenAi:
    return client_of(runtime)


def calling(threads: ThreadPoolExecutor, api: OpenAi, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    """A call that waits in a thread of its own."""
    return threads.submit(api.post, ENDPOINT, ASKED | fields, headers=headers)


def taken(runtime: Runtime) -> Claim:
    """The job of the call, claimed as soon as it is stored."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if claimed := claims.claim(runtime, "hive_v2", 1, is_idle=True):
            return claimed[0]
        time.sleep(0.01)
    raise AssertionError("there was no call")


def call_back(runtime: Runtime, claim: Claim, body: bytes) -> None:
    path = "/callbacks/hive/" + claim.submission.callback_url.rpartition("/")[2]
    assert create_app(runtime).test_client().post(path, data=body).status_code == 200


def answered(runtime: Runtime, call: "Future[TestResponse]", text: str = "The Po.") -> TestResponse:
    """The answer to a call whose job the provider answers so."""
    call_back(runtime, taken(runtime), success(text))
    return call.result(10)


def chunks_of(response: TestResponse) -> list[dict[str, Any]]:
    assert response.mimetype == "text/event-stream"
    *events, last, end = response.text.split("\n\n")
    assert (last, end) == ("data: [DONE]", "")
    return [json.loads(event.removeprefix("data: ")) for event in events]


def test_a_call_is_answered_when_its_callback_comes(runtime: Runtime, api: OpenAi, threads: ThreadPoolExecutor) -> None:
    response = answered(runtime, calling(threads, api))
    assert response.status_code == 200
    completion = body_of(response)
    assert completion["choices"][0]["message"]["content"] == "The Po."
    assert (completion["object"], completion["model"]) == ("chat.completion", "acme/one")
    job = body_of(api.get(f"/api/jobs/{response.headers['X-Hivebatch-Job']}"))
    assert (job["state"], job["text_data"]) == ("completed", "Name a river.")
    (batch,) = body_of(api.get("/api/batches"))["items"]
    assert (batch["name"], batch["total"], batch["status"]) == ("chat completion", 1, "completed")


def test_who_waits_is_woken_by_the_end_and_not_by_the_next_look(
    make_runtime: MakeRuntime, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "_FIRST_PAUSE_SECONDS", 30.0)
    monkeypatch.setattr(calls, "_LONGEST_PAUSE_SECONDS", 30.0)
    runtime = make_runtime()
    assert answered(runtime, calling(threads, client_of(runtime))).status_code == 200


def test_an_end_in_another_process_is_seen_too(make_runtime: MakeRuntime, threads: ThreadPoolExecutor) -> None:
    here, elsewhere = make_runtime(), make_runtime()
    assert answered(elsewhere, calling(threads, client_of(here))).status_code == 200


def test_a_stream_has_the_answer_then_its_end(runtime: Runtime, api: OpenAi, threads: ThreadPoolExecutor) -> None:
    said, over = chunks_of(answered(runtime, calling(threads, api, stream=True)))
    assert said["choices"][0]["delta"] == {"role": "assistant", "content": "The Po.", "refusal": None}
    assert (said["choices"][0]["finish_reason"], over["choices"][0]["finish_reason"]) == (None, "stop")
    assert {chunk["object"] for chunk in (said, over)} == {"chat.completion.chunk"}
    assert said["id"] == over["id"]


@pytest.fixture
def chats(database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with chatting(database_url, tmp_path) as runtime:
        yield runtime


def drained(chats: Runtime, call: "Future[TestResponse]") -> TestResponse:
    while not call.done():
        drain(chats)
    return call.result()


def test_a_provider_that_chats_answers_with_usage(chats: Runtime, threads: ThreadPoolExecutor) -> None:
    api = client_of(chats)
    completion = body_of(drained(chats, calling(threads, api, model=LLAMA)))
    assert completion["choices"][0]["message"]["content"] == answer_for("Name a river.", None)
    assert completion["usage"]["completion_tokens"] > 0
    asked = {"model": LLAMA, "stream": True, "stream_options": {"include_usage": True}}
    *parts, last = chunks_of(drained(chats, calling(threads, api, **asked)))
    assert (last["choices"], last["usage"]) == ([], completion["usage"])
    assert {part["usage"] for part in parts} == {None}


def test_nobody_waits_longer_than_the_limit_and_nothing_is_lost(
    make_runtime: MakeRuntime, threads: ThreadPoolExecutor
) -> None:
    runtime = make_runtime(call_timeout_seconds=0.5)
    api = client_of(runtime)
    call = calling(threads, api)
    claim = taken(runtime)
    response = call.result(10)
    assert fault_of(response) == (504, "answer_pending", None)
    assert response.headers["x-should-retry"] == "false"  # the SDK would buy it again
    job_id = ids.show("job", claim.job_id)
    assert response.headers["X-Hivebatch-Job"] == job_id
    assert f"GET /api/jobs/{job_id}" in body_of(response)["error"]["message"]
    call_back(runtime, claim, success("Late."))
    job = body_of(api.get(f"/api/jobs/{job_id}"))
    assert (job["state"], job["result"]["text"]) == ("completed", "Late.")


def test_the_same_key_waits_for_the_same_job(runtime: Runtime, api: OpenAi, threads: ThreadPoolExecutor) -> None:
    key = {"Idempotency-Key": "one"}
    first = calling(threads, api, headers=key)
    claim = taken(runtime)
    second = calling(threads, client_of(runtime), headers=key)
    call_back(runtime, claim, success("Once."))
    said = {call.result(10).headers["X-Hivebatch-Job"] for call in (first, second)}
    assert said == {ids.show("job", claim.job_id)}
    assert len(body_of(api.get("/api/batches"))["items"]) == 1
    other = api.post(ENDPOINT, ASKED | {"stream": True}, headers=key)
    assert fault_of(other) == (409, None, None)


WRONG: list[tuple[dict[str, Any], tuple[int, str | None, str | None]]] = [
    ({"messages": None}, (400, "invalid_type", "messages")),
    ({"messages": []}, (400, "invalid_value", "messages")),
    ({"messages": [{"role": "nobody", "content": "x"}]}, (400, "invalid_value", "messages.0.role")),
    ({"model": ""}, (400, "invalid_value", "model")),
    ({"n": 2}, (400, "invalid_value", "n")),
    ({"tools": [{"type": "function"}]}, (400, "invalid_value", "tools")),
    ({"stream": "yes"}, (400, "invalid_type", "stream")),
    ({"max_tokens": "many"}, (400, "invalid_value", "max_tokens")),
    ({"messages": [{"role": "user", "content": "x" * 70_000}]}, (400, "invalid_value", None)),
]


@pytest.mark.parametrize(("fields", "fault"), WRONG, ids=lambda value: str(value)[:40])
def test_what_can_not_be_answered_is_refused_and_stored_nowhere(
    api: OpenAi, fields: dict[str, Any], fault: tuple[int, str | None, str | None]
) -> None:
    assert fault_of(api.post(ENDPOINT, ASKED | fields)) == fault
    assert body_of(api.get("/api/batches"))["items"] == []


def test_a_model_that_nobody_has_is_not_found(chats: Runtime) -> None:
    assert fault_of(client_of(chats).post(ENDPOINT, ASKED)) == (404, "model_not_found", "model")


def test_what_the_provider_could_not_do_is_told_and_not_to_be_repeated(
    runtime: Runtime, api: OpenAi, threads: ThreadPoolExecutor
) -> None:
    call = calling(threads, api)
    call_back(runtime, taken(runtime), failure("9"))
    response = call.result(10)
    assert response.status_code == 502
    assert response.headers["x-should-retry"] == "false"


def test_a_call_that_is_cancelled_says_so(runtime: Runtime, api: OpenAi, threads: ThreadPoolExecutor) -> None:
    call = calling(threads, api)
    claim = taken(runtime)
    batches.cancel(runtime, "alice", claim.batch_id)
    assert fault_of(call.result(10)) == (409, "batch_cancelled", None)


def test_while_the_database_is_away_it_goes_on_waiting(make_runtime: MakeRuntime, threads: ThreadPoolExecutor) -> None:
    runtime = make_runtime()
    shaky = interposed(runtime, before=dict.fromkeys((5, 6), database_is_away))
    assert answered(runtime, calling(threads, client_of(shaky))).status_code == 200


# --- the gate ---


def test_a_quarter_of_the_threads_may_wait_and_the_next_is_told_to_come_again(
    make_runtime: MakeRuntime, threads: ThreadPoolExecutor
) -> None:
    runtime = make_runtime(web_threads=8)
    app, secret = create_app(runtime), keys.create(runtime, "alice", "tests").secret
    waiting = [calling(threads, OpenAi(checked_client(app), secret)) for _ in range(2)]
    taken_up = [taken(runtime) for _ in waiting]
    api = OpenAi(checked_client(app), secret)
    full = api.post(ENDPOINT, ASKED)
    assert full.status_code == 503
    assert int(full.headers["Retry-After"]) > 0
    batch_id = ids.show("batch", taken_up[0].batch_id)
    assert api.get(f"/api/batches/{batch_id}/results").status_code == 503  # downloads have the same places
    assert api.get(f"/api/batches/{batch_id}").status_code == 200
    for claim in taken_up:
        call_back(runtime, claim, success("x"))
    assert [call.result(10).status_code for call in waiting] == [200, 200]
    for _ in range(5):  # every place is free again, also after a stream, and after one that nobody reads
        assert api.get(f"/api/batches/{batch_id}/results").status_code == 200
        api.call("HEAD", f"/api/batches/{batch_id}/results").close()  # as a server does
        assert fault_of(api.post(ENDPOINT, ASKED | {"n": 2}))[0] == 400
    assert len(body_of(api.get("/api/batches"))["items"]) == 2


def test_a_client_that_goes_away_gives_its_place_back_and_its_job_goes_on(
    make_runtime: MakeRuntime, threads: ThreadPoolExecutor
) -> None:
    runtime = make_runtime(web_threads=4)
    app, secret = create_app(runtime), keys.create(runtime, "alice", "tests").secret
    gone = threading.Event()
    client = OpenAi(checked_client(app), secret)
    call = threads.submit(client.post, ENDPOINT, ASKED, environ_overrides={"asgi.scope": {DISCONNECTED: gone}})
    claim = taken(runtime)
    assert not call.done()
    gone.set()
    assert call.result(10).status_code == 504
    api = OpenAi(checked_client(app), secret)
    call_back(runtime, claim, success("Kept."))
    assert [line["text"] for line in api.results(ids.show("batch", claim.batch_id))] == ["Kept."]


def test_a_process_that_ends_keeps_nobody_waiting(runtime: Runtime, api: OpenAi, threads: ThreadPoolExecutor) -> None:
    call = calling(threads, api)
    taken(runtime)
    runtime.stopping.set()
    assert fault_of(call.result(10)) == (504, "answer_pending", None)
