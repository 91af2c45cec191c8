"""Answers that are handed on while their provider writes them."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app import create_app
from app.clock import now
from app.runtime import Runtime, build
from app.services import calls, keys, submission
from tests.chats import assert_sound
from tests.conftest import make_settings
from tests.fakes import RecordingDoorbell
from tests.integration.openai_client import ENDPOINT
from tests.integration.rest import body_of
from tests.senders import SENDERS, skip_if_missing
from tests.unit.providers.servers import Act, Server, answer, in_chunks, raw_then_close, says

MODEL = "own/model"
PROVIDERS = """
[local]
kind = "openai_chat"
base_url = "{url}"
keys = ["any"]
models = ["own/model"]
submit_timeout_seconds = 10
"""

Calling = Callable[..., TestResponse]
Serve = Callable[..., tuple[Runtime, Calling, Server]]


def event(**fields: Any) -> bytes:
    chunk = {"id": "chatcmpl-theirs", "object": "chat.completion.chunk", "created": 1, "model": MODEL} | fields
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def said(text: str, finish_reason: str | None = None) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}])


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
END = said("Po.", "stop") + event(choices=[], usage=USAGE) + b"data: [DONE]\n\n"


@pytest.fixture(params=SENDERS)
def serve(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[Serve]:
    """Starts a provider that answers so, with a service in front of it and nobody else who submits."""
    skip_if_missing(request.param)
    with ExitStack() as opened:

        def start(*acts: Act, **options: Any) -> tuple[Runtime, Calling, Server]:
            server = opened.enter_context(Server(*acts))
            path = tmp_path / "providers.toml"
            path.write_text(PROVIDERS.format(url=server.url))
            settings = make_settings(database_url=database_url, providers=path, sender=request.param, **options)
            runtime = replace(build(settings, RecordingDoorbell()), database_clock=lambda _: now())
            opened.callback(runtime.close)
            client = create_app(runtime).test_client()
            client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {keys.create(runtime, 'alice', 'tests').secret}"

            def call(headers: dict[str, str] | None = None, **fields: Any) -> TestResponse:
                messages = [{"role": "user", "content": "Which river?"}]
                asked = {"model": MODEL, "messages": messages, "stream": True} | fields
                return client.post(ENDPOINT, json=asked, headers=headers)

            return runtime, call, server

        yield start


def parsed(events: bytes) -> list[dict[str, Any]]:
    """What the events hold, `[DONE]` as an empty object."""
    texts = [each.removeprefix("data: ") for each in events.decode().split("\n\n")]
    return [{} if text == "[DONE]" else json.loads(text) for text in texts if text]


def the_job(runtime: Runtime, response: TestResponse) -> dict[str, Any]:
    client = create_app(runtime).test_client()
    secret = keys.create(runtime, "alice", "looks").secret
    path = f"/api/jobs/{response.headers['X-Hivebatch-Job']}"
    return body_of(client.get(path, headers={"Authorization": f"Bearer {secret}"}))


def test_each_word_is_handed_on_before_the_next_is_written(serve: Serve) -> None:
    is_read = threading.Event()
    runtime, call, server = serve(in_chunks(said("The "), is_read, END))
    response = call()
    pieces = response.iter_encoded()
    (first,) = parsed(next(pieces))
    assert first["choices"][0]["delta"] == {"content": "The "}
    assert the_job(runtime, response)["state"] == "submitting"
    is_read.set()
    last, end = parsed(b"".join(pieces))
    assert (last["choices"][0]["finish_reason"], end) == ("stop", {})
    assert first["id"] == last["id"] != "chatcmpl-theirs"
    job = the_job(runtime, response)
    assert (job["state"], job["result"]["text"]) == ("completed", "The Po.")
    sent = json.loads(server.received[0].body)
    assert (sent["stream"], sent["stream_options"]) == (True, {"include_usage": True})
    assert len(server.received) == 1
    assert_sound(runtime)


def test_usage_is_told_to_who_asks_for_it(serve: Serve) -> None:
    _, call, _ = serve(in_chunks(said("The "), END))
    first, last, usage, end = parsed(call(stream_options={"include_usage": True}).data)
    assert (first["usage"], last["usage"], end) == (None, None, {})
    assert (usage["choices"], usage["usage"]) == ([], USAGE)
    first, last, end = parsed(call().data)
    assert "usage" not in first | last


def test_a_stream_that_breaks_off_is_no_answer_and_says_where_there_will_be_one(serve: Serve) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    runtime, call, _ = serve(raw_then_close(head + said("The ")))
    response = call()
    first, last = parsed(response.data)
    assert first["choices"][0]["delta"] == {"content": "The "}
    assert (last["error"]["type"], last["error"]["code"]) == ("server_error", "answer_pending")
    assert response.headers["X-Hivebatch-Job"] in last["error"]["message"]
    job = the_job(runtime, response)
    assert job["state"] != "completed"
    assert [attempt["state"] for attempt in job["attempts"]] == ["unknown"]
    assert_sound(runtime)


def test_an_answer_that_nobody_reads_to_its_end_is_stored_whole(serve: Serve) -> None:
    is_gone = threading.Event()
    runtime, call, _ = serve(in_chunks(said("The "), is_gone, END), web_threads=4)
    response = call()
    assert call().status_code == 503  # the one place is taken until the answer is there
    threading.Timer(0.2, is_gone.set).start()
    response.close()
    job = the_job(runtime, response)
    assert (job["state"], job["result"]["text"]) == ("completed", "The Po.")
    assert call().status_code == 200


def test_a_server_that_does_not_stream_is_answered_for(serve: Serve) -> None:
    whole = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "The Po."}, "finish_reason": "stop"}]}
    _, call, _ = serve(says(whole))
    first, last, end = parsed(call().data)
    assert (first["choices"][0]["delta"]["content"], last["choices"][0]["finish_reason"], end) == (
        "The Po.",
        "stop",
        {},
    )


def test_what_is_refused_for_good_is_an_error_and_no_stream(serve: Serve) -> None:
    _, call, _ = serve(says({"error": {"message": "no such thing"}}, status=400))
    response = call()
    assert (response.status_code, response.mimetype) == (400, "application/json")
    assert "no such thing" in body_of(response)["error"]["message"]


def test_it_keeps_to_the_limits_and_waits_out_what_the_provider_asks_for(serve: Serve) -> None:
    runtime, call, server = serve(answer(429, Retry_After="60"), call_timeout_seconds=1.0)
    response = call()
    assert (response.status_code, body_of(response)["error"]["code"]) == (504, "answer_pending")
    assert len(server.received) == 1
    assert call().status_code == 504
    assert len(server.received) == 1  # the provider is held, for calls too
    assert the_job(runtime, response)["state"] == "queued"


def test_who_asks_again_waits_for_the_same_answer(serve: Serve) -> None:
    _, call, server = serve(in_chunks(said("The "), END))
    key = {"Idempotency-Key": "one"}
    first = call(headers=key)
    assert parsed(first.data)[-1] == {}
    again = call(headers=key)
    assert again.headers["X-Hivebatch-Job"] == first.headers["X-Hivebatch-Job"]
    assert parsed(again.data)[0]["choices"][0]["delta"]["content"] == "The Po."
    assert len(server.received) == 1


def test_nobody_else_takes_the_job_before_and_anybody_after(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    _, call, server = serve(in_chunks(said("The "), END))
    seen: list[int] = []

    def too_late(runtime: Runtime, provider: str, job_id: object) -> Iterator[dict[str, Any]]:
        submission.drain(runtime, provider)
        seen.append(len(server.received))
        return iter(())

    monkeypatch.setattr(calls, "passage", too_late)
    with closing(call()) as response:
        assert response.status_code == 200
        assert parsed(response.data)[0]["choices"][0]["delta"]["content"] == "The Po."
    assert seen[0] == 0
    assert len(server.received) == 1
