"""The Batch API from upload to webhook by whichever version of `openai` this Python has; says what it went through.

It is run in an environment that holds that SDK and nothing of ours, told by the SDK's own variables where to go.
"""

import asyncio
import io
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, TypeVar

import openai
from openai.types import Batch

Error = TypeVar("Error", bound=Exception)

V2 = "hivebatch/hive_v2"
V3 = "meta-llama/llama-3.2-1b-instruct"
ENDPOINT: Any = "/v1/chat/completions"
FINAL = {"completed", "failed", "expired", "cancelled"}
PATIENCE_SECONDS = 60.0


def line(custom_id: str, text: str = "Name a river.", **body: Any) -> dict[str, Any]:
    asked = {"model": V2, "messages": [{"role": "user", "content": text}]} | body
    return {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": asked}


def as_file(*lines: dict[str, Any]) -> tuple[str, bytes]:
    return "input.jsonl", "\n".join(map(json.dumps, lines)).encode()


def by_custom_id(text: str) -> dict[str, Any]:
    return {each["custom_id"]: each for each in map(json.loads, text.splitlines())}


def make(client: openai.OpenAI, *lines: dict[str, Any], **fields: Any) -> Batch:
    file = client.files.create(file=as_file(*lines), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h", **fields)


def ended(client: openai.OpenAI, batch: Batch) -> Batch:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (batch := client.batches.retrieve(batch.id)).status not in FINAL:
        assert time.monotonic() < deadline, batch
        time.sleep(0.1)
    return batch


def refusal(kind: type[Error], call: Callable[[], object]) -> Error:
    """What a call that has to fail so is refused with."""
    try:
        answer = call()
    except kind as error:
        return error
    raise AssertionError(f"it was answered: {answer}")


def upload_to_results(client: openai.OpenAI) -> None:
    lines = [line(f"river-{number}", f"Tell me about river {number}.", temperature=0) for number in range(10)]
    batch = ended(client, make(client, *lines, line("impossible", n=2), metadata={"of": "the tests"}))
    assert (batch.status, batch.metadata, batch.errors) == ("completed", {"of": "the tests"}, None), batch
    counts = batch.request_counts
    assert counts is not None
    assert (counts.total, counts.completed, counts.failed) == (11, 10, 1), batch
    assert batch.output_file_id is not None
    assert batch.error_file_id is not None
    output = by_custom_id(client.files.content(batch.output_file_id).text)
    assert set(output) == {each["custom_id"] for each in lines}
    answer = openai.types.chat.ChatCompletion.model_validate(output["river-7"]["response"]["body"])
    assert "river 7" in str(answer.choices[0].message.content)
    errors = by_custom_id(client.files.content(batch.error_file_id).text)
    assert errors["impossible"]["response"]["status_code"] == 400


def files(client: openai.OpenAI) -> None:
    bare = io.BytesIO(b"{}\n")  # without a name: the SDK sends it as `upload`
    made = [client.files.create(file=bare, purpose="batch").id]
    made += [client.files.create(file=as_file(line("a")), purpose="user_data").id for _ in range(2)]
    listed = [file.id for file in client.files.list(limit=1)]
    assert listed[:3] == made[::-1], listed
    assert [file.id for file in client.files.list(purpose="user_data", order="asc")] == made[1:]
    found = client.files.wait_for_processing(made[0])
    assert (found.filename, found.bytes, found.purpose) == ("upload", 3, "batch"), found
    assert client.files.content(made[0]).read() == b"{}\n"
    assert all(client.files.delete(each).deleted for each in made)
    assert not set(made) & {file.id for file in client.files.list()}


def faults_of_a_file(client: openai.OpenAI) -> None:
    batch = ended(client, make(client, line("a"), line("b", stream=True), line("a")))
    assert batch.status == "failed"
    assert batch.errors is not None
    found = [(each.code, each.line) for each in batch.errors.data or ()]
    assert found == [("streaming_unsupported", 2), ("duplicate_custom_id", 3)], found


def lists_of_batches(client: openai.OpenAI) -> None:
    made = [make(client, line("a")).id for _ in range(3)]
    listed = [batch.id for batch in client.batches.list(limit=1)]
    assert listed[:3] == made[::-1], listed
    assert len(set(listed)) == len(listed)
    assert next(batch.id for batch in client.batches.list(limit=2, after=made[1])) == made[0]


def cancelling(client: openai.OpenAI) -> None:
    batch = make(client, *(line(str(number)) for number in range(300)))
    assert client.batches.cancel(batch.id).status in {"cancelling", "cancelled"}
    batch = ended(client, batch)
    assert (batch.status, batch.cancelled_at is None) == ("cancelled", False), batch
    assert batch.error_file_id is not None
    left = by_custom_id(client.files.content(batch.error_file_id).text)
    done = by_custom_id(client.files.content(batch.output_file_id).text) if batch.output_file_id else {}
    assert len({*left, *done}) == 300
    assert {each["error"]["code"] for each in left.values()} == {"batch_cancelled"}
    assert client.batches.cancel(batch.id).status == "cancelled"


def errors(client: openai.OpenAI) -> None:
    missing = refusal(openai.NotFoundError, lambda: client.batches.retrieve("batch_none"))
    assert "No batch found with id 'batch_none'." in missing.message, missing
    assert missing.request_id
    asked: Any = {"input_file_id": "file-x", "endpoint": "/v1/embeddings", "completion_window": "24h"}
    wrong = refusal(openai.BadRequestError, lambda: client.batches.create(**asked))
    assert (wrong.code, wrong.param) == ("invalid_value", "endpoint"), wrong
    stranger = refusal(openai.AuthenticationError, client.with_options(api_key="none").models.list)
    assert stranger.code == "invalid_api_key", stranger
    done = ended(client, make(client, line("a")))
    conflict = refusal(openai.ConflictError, lambda: client.batches.cancel(done.id))
    assert conflict.response.request.headers["x-stainless-retry-count"] == "0", "it was asked for again"


def models(client: openai.OpenAI) -> None:
    served = {model.id: model for model in client.models.list()}
    assert {V2, V3} <= set(served)
    assert client.models.retrieve(V3) == served[V3]


def chat_completions(client: openai.OpenAI) -> None:
    for model in (V2, V3):
        asked: Any = {"model": model, "messages": [{"role": "user", "content": "Name a river."}]}
        whole = client.chat.completions.create(**asked).choices[0].message.content
        chunks = list(client.chat.completions.create(**asked, stream=True))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole


def webhooks(client: openai.OpenAI) -> None:
    with receiver() as (url, received):
        said = {"url": url, "name": "tests", "event_types": ["batch.completed", "response.completed"]}
        made: Any = client.post("/webhook_endpoints", body=said, cast_to=object)  # versions 1 and 2 only read them
        batch = make(client, line("a"))
        headers, body = received.get(timeout=PATIENCE_SECONDS)
        event = client.webhooks.unwrap(body, headers, secret=made["signing_secret"])
        assert (event.id, event.type) == (headers["webhook-id"], "batch.completed"), event
        assert event.data.id == batch.id
        forged = partial(client.webhooks.unwrap, body + b" ", headers, secret=made["signing_secret"])
        refusal(openai.InvalidWebhookSignatureError, forged)
        client.delete(f"/webhook_endpoints/{made['id']}", cast_to=object)


@contextmanager
def receiver() -> Iterator[tuple[str, "queue.Queue[tuple[dict[str, str], bytes]]"]]:
    """The URL of a server that takes everything, and what it took."""
    received: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(204)
            self.end_headers()
            received.put(({name.lower(): value for name, value in self.headers.items()}, body))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Taking) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/in", received
        server.shutdown()
        thread.join()


async def asynchronously() -> None:
    async with openai.AsyncOpenAI() as client, asyncio.timeout(PATIENCE_SECONDS):
        file = await client.files.create(file=as_file(line("a", model=V3), line("b", model=V3)), purpose="batch")
        batch = await client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h")
        while batch.status not in FINAL:
            await asyncio.sleep(0.1)
            batch = await client.batches.retrieve(batch.id)
        assert batch.status == "completed", batch
        assert batch.output_file_id is not None
        output = await client.files.content(batch.output_file_id)
        assert set(by_custom_id(output.text)) == {"a", "b"}
        listed = [each.id async for each in client.batches.list(limit=1)]
        assert listed[0] == batch.id
        assert len(set(listed)) == len(listed) > 1
        (missing,) = await asyncio.gather(client.batches.retrieve("batch_none"), return_exceptions=True)
        assert isinstance(missing, openai.NotFoundError), missing


STEPS = (
    upload_to_results,
    files,
    faults_of_a_file,
    lists_of_batches,
    cancelling,
    errors,
    models,
    chat_completions,
    webhooks,
)


def main() -> None:
    """Go through all of it; each step that went well is a line."""
    print(openai.__version__, flush=True)
    with openai.OpenAI() as client:
        for step in STEPS:
            step(client)
            print(step.__name__, flush=True)
    asyncio.run(asynchronously())
    print(asynchronously.__name__)


if __name__ == "__main__":
    main()
