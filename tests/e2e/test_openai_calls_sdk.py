"""Chat completions by the official SDK, against a running service: whole, streamed, too late, too many."""

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
import requests
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.e2e.processes import Processes, Up, eventually
from tests.e2e.taker import Taker, call_back
from tests.unit.providers.servers import Server, in_chunks

V2 = "hivebatch/hive_v2"
V3 = "meta-llama/llama-3.2-1b-instruct"
MESSAGES: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name a river."}]


@pytest.fixture
def up(processes: Processes, tmp_path: Path) -> Up:
    return processes.up(tmp_path, "--sandbox", "--v3", "--profile", "calm", "--port", "0")


def client_of(up: Up) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{up.url}/v1", api_key=up.key)


def text_of(completion: ChatCompletion) -> str:
    (choice,) = completion.choices
    assert choice.finish_reason == "stop"
    return str(choice.message.content)


def joined(chunks: list[ChatCompletionChunk]) -> str:
    assert chunks[-1].choices[0].finish_reason == "stop"
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def test_v2_and_v3_answer_the_same_whole_and_streamed(up: Up) -> None:
    with client_of(up) as client:
        create = client.chat.completions.create
        whole = [create(model=model, messages=MESSAGES) for model in (V2, V3)]
        streamed = [list(create(model=model, messages=MESSAGES, stream=True)) for model in (V2, V3)]
        counted = list(create(model=V3, messages=MESSAGES, stream=True, stream_options={"include_usage": True}))
        with client.chat.completions.stream(model=V3, messages=MESSAGES) as stream:
            final = stream.get_final_completion()
    said = {*map(text_of, whole), *map(joined, streamed), joined(counted[:-1]), str(final.choices[0].message.content)}
    assert len(said) == 1
    assert "river" in said.pop()
    assert [answer.usage is None for answer in whole] == [True, False]
    assert counted[-1].usage == whole[1].usage
    providers = {batch["provider"] for batch in up.request("GET", "/api/batches").json()["items"]}
    assert providers == {"hive_v2", "hive_v3"}


def test_many_at_once_by_the_async_client(up: Up) -> None:
    assert asyncio.run(_many(up)) == 12


async def _many(up: Up) -> int:
    async with openai.AsyncOpenAI(base_url=f"{up.url}/v1", api_key=up.key) as client:
        asked = [client.chat.completions.create(model=model, messages=MESSAGES) for model in (V2, V3) * 5]
        streams = [client.chat.completions.create(model=model, messages=MESSAGES, stream=True) for model in (V2, V3)]
        said = [text_of(each) for each in await asyncio.gather(*asked)]
        said += [joined([chunk async for chunk in stream]) for stream in await asyncio.gather(*streams)]
        assert len(set(said)) == 1
        return len(said)


def test_errors_are_those_of_the_sdk(up: Up) -> None:
    with client_of(up) as client:
        with pytest.raises(openai.NotFoundError) as missing:
            client.chat.completions.create(model="acme/none", messages=MESSAGES)
        assert missing.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError) as wrong:
            client.chat.completions.create(model=V2, messages=MESSAGES, n=2)
        assert wrong.value.param == "n"
    assert up.request("GET", "/api/batches").json()["items"] == []


# --- a provider that writes word by word ---

PROVIDERS = """
[local]
kind = "openai_chat"
base_url = "{url}"
models = ["own/model"]
submit_timeout_seconds = 4
unknown_grace_seconds = 1
"""


def word(text: str, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "own/model", "choices": [choice]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def beside(processes: Processes, folder: Path, server: Server) -> Up:
    """A service that has this server as a provider."""
    providers = folder / "providers.toml"
    providers.write_text(PROVIDERS.format(url=server.url))
    sandbox = ("--sandbox", "--profile", "calm", "--port", "0")
    return processes.up(folder, *sandbox, HIVEBATCH_PROVIDERS=str(providers), HIVEBATCH_UNKNOWN_GRACE_SECONDS="1")


def test_each_word_reaches_the_client_before_the_next_is_written(processes: Processes, tmp_path: Path) -> None:
    is_read = threading.Event()
    answer = in_chunks(word("The "), is_read, word("Po.", "stop"), b"data: [DONE]\n\n")
    with Server(answer) as server, client_of(beside(processes, tmp_path, server)) as client:
        stream = iter(client.chat.completions.create(model="own/model", messages=MESSAGES, stream=True))
        first = next(stream)
        assert (first.choices[0].delta.content, is_read.is_set()) == ("The ", False)
        is_read.set()
        assert joined([first, *stream]) == "The Po."
    assert len(server.received) == 1


def test_a_service_that_is_told_to_stop_hands_on_to_the_end(processes: Processes, tmp_path: Path) -> None:
    is_stopping = threading.Event()
    answer = in_chunks(word("The "), is_stopping, word("Po.", "stop"), b"data: [DONE]\n\n")
    with Server(answer) as server, ThreadPoolExecutor(1) as threads:
        up = beside(processes, tmp_path, server)
        with client_of(up) as client:
            stream = iter(client.chat.completions.create(model="own/model", messages=MESSAGES, stream=True))
            first = next(stream)
            stopped = threads.submit(up.process.stop)
            threading.Timer(1.0, is_stopping.set).start()
            assert joined([first, *stream]) == "The Po."
        assert stopped.result(20) == 0


def test_a_service_that_dies_in_the_middle_goes_on_with_the_job(processes: Processes, tmp_path: Path) -> None:
    whole = in_chunks(word("The Po.", "stop"), b"data: [DONE]\n\n")
    with Server(in_chunks(word("The "), threading.Event()), whole) as server:
        up = beside(processes, tmp_path, server)
        asked = {"model": "own/model", "messages": MESSAGES, "stream": True}
        headers = {"Authorization": f"Bearer {up.key}"}
        url = f"{up.url}/v1/chat/completions"
        with requests.post(url, json=asked, headers=headers, stream=True, timeout=20) as stream:
            lines = stream.iter_lines()
            assert b"The " in next(lines)
            up.process.kill()
            with pytest.raises(requests.RequestException):
                list(lines)
        again = beside(processes, tmp_path, server)
        batch_id = again.request("GET", "/api/batches").json()["items"][0]["id"]
        assert again.finished(batch_id)["possibly_doubled"] == 1
        (line,) = again.results(batch_id)
    assert line["text"] == "The Po."
    assert len(server.received) == 2


# --- a provider that takes its time ---

THREADS = 8
PLACES = THREADS // 4


@pytest.fixture
def slow(processes: Processes, taker: Taker, tmp_path: Path) -> Up:
    """A service whose provider calls back when the test likes, later than anybody waits."""
    return service(processes, taker, tmp_path, HIVEBATCH_CALL_TIMEOUT_SECONDS="3")


def service(processes: Processes, taker: Taker, folder: Path, **variables: str) -> Up:
    provider = {"HIVEBATCH_HIVE_URL": f"http://127.0.0.1:{taker.server_port}", "HIVEBATCH_HIVE_KEY": "a-key"}
    return processes.up(folder, HIVEBATCH_WEB_THREADS=str(THREADS), **provider, **variables)


def test_a_late_answer_is_not_asked_for_twice_and_is_had_later(slow: Up, taker: Taker) -> None:
    with client_of(slow) as client, pytest.raises(openai.InternalServerError) as late:
        client.chat.completions.create(model="any", messages=MESSAGES)
    assert (late.value.status_code, late.value.code) == (504, "answer_pending")
    job_id = late.value.response.headers["X-Hivebatch-Job"]
    assert job_id in late.value.message
    call_back(taker, "The Po.")
    job = slow.request("GET", f"/api/jobs/{job_id}").json()
    assert (job["state"], job["result"]["text"]) == ("completed", "The Po.")
    assert len(slow.request("GET", "/api/batches").json()["items"]) == 1


def ask(up: Up, timeout_seconds: float = 20) -> requests.Response:
    headers = {"Authorization": f"Bearer {up.key}"}
    body = {"model": "any", "messages": MESSAGES}
    return requests.post(f"{up.url}/v1/chat/completions", headers=headers, json=body, timeout=timeout_seconds)


def batches(up: Up) -> int:
    return len(up.request("GET", "/api/batches").json()["items"])


def test_with_a_full_house_the_next_is_told_to_come_again_and_callbacks_are_taken(slow: Up, taker: Taker) -> None:
    with ThreadPoolExecutor(PLACES) as threads:
        waiting = [threads.submit(ask, slow) for _ in range(PLACES)]
        eventually(lambda: batches(slow) == PLACES, 10, "all places are taken")
        full = ask(slow)
        assert (full.status_code, full.headers["Retry-After"]) == (503, "1")
        assert full.json()["error"]["type"] == "server_error"
        for _ in waiting:
            call_back(taker, "The Po.")
        assert [call.result(10).status_code for call in waiting] == [200] * PLACES
    assert batches(slow) == PLACES


def test_clients_that_go_away_leave_their_places_and_their_jobs_go_on(
    processes: Processes, taker: Taker, tmp_path: Path
) -> None:
    slow = service(processes, taker, tmp_path, HIVEBATCH_CALL_TIMEOUT_SECONDS="60")
    for _ in range(PLACES + 1):
        with pytest.raises(requests.ReadTimeout):
            eventually(lambda: ask(slow, timeout_seconds=0.5).status_code != 503, 10, "there is a place")
    assert batches(slow) == PLACES + 1
    for _ in range(PLACES + 1):
        call_back(taker, "The Po.")
    counts = [batch["counts"]["completed"] for batch in slow.request("GET", "/api/batches").json()["items"]]
    assert counts == [1] * (PLACES + 1)


def test_a_service_that_stops_tells_those_who_wait(processes: Processes, taker: Taker, tmp_path: Path) -> None:
    slow = service(processes, taker, tmp_path, HIVEBATCH_CALL_TIMEOUT_SECONDS="60")
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(ask, slow)
        eventually(lambda: batches(slow) == 1, 10, "it waits")
        began = time.monotonic()
        assert slow.process.stop() == 0
        assert call.result(10).status_code == 504
        assert time.monotonic() - began < 8  # and lets nobody wait until the server gives them up
