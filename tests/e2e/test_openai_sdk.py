"""The official OpenAI SDK against a running service, pointed at it by its base URL and by nothing else."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types import Batch

from tests.e2e.processes import Processes, Up, eventually
from tests.integration.openai_client import ENDPOINT, as_file, line

FINAL = {"completed", "failed", "expired", "cancelled"}


@pytest.fixture
def up(processes: Processes, tmp_path: Path) -> Up:
    return processes.up(tmp_path, "--sandbox", "--profile", "calm", "--port", "0")


@pytest.fixture
def client(up: Up) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{up.url}/v1", api_key=up.key) as client:
        yield client


def make(client: openai.OpenAI, *lines: dict[str, Any] | bytes) -> Batch:
    file = client.files.create(file=("input.jsonl", as_file(lines)), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h")


def ended(client: openai.OpenAI, batch: Batch) -> Batch:
    """The batch, polled until it is final, as everybody does."""

    def final() -> Batch | None:
        found = client.batches.retrieve(batch.id)
        return found if found.status in FINAL else None

    found: Batch = eventually(final, 60, f"{batch.id} is final")
    return found


def content(client: openai.OpenAI, file_id: str | None) -> dict[str, Any]:
    """The lines of a result file by custom_id."""
    assert file_id is not None
    return {each["custom_id"]: each for each in map(json.loads, client.files.content(file_id).text.splitlines())}


def test_from_upload_to_results(client: openai.OpenAI) -> None:
    lines = [line(f"river-{number}", f"Tell me about river {number}.", temperature=0) for number in range(20)]
    batch = ended(client, make(client, *lines, line("impossible", tools=[{"type": "function"}])))
    assert batch.status == "completed"
    assert batch.request_counts is not None
    assert (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed) == (21, 20, 1)
    output = content(client, batch.output_file_id)
    assert set(output) == {each["custom_id"] for each in lines}
    answer = openai.types.chat.ChatCompletion.model_validate(output["river-7"]["response"]["body"])
    assert "river 7" in str(answer.choices[0].message.content)
    assert answer.model == "llama-3.2-1b-instruct"  # as V2 tells it
    errors = content(client, batch.error_file_id)
    assert errors["impossible"]["response"]["status_code"] == 400


def test_files_are_uploaded_listed_page_by_page_and_deleted(client: openai.OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(as_file([line("a")]))
    with path.open("rb") as stream:
        made = [client.files.create(file=stream, purpose="batch").id]
    made += [client.files.create(file=io.BytesIO(b"x"), purpose="batch").id for _ in range(2)]
    assert [file.id for file in client.files.list(limit=1)] == made[::-1]
    assert [file.id for file in client.files.list(limit=2, order="asc")] == made
    assert client.files.retrieve(made[0]).status == "processed"
    assert client.files.wait_for_processing(made[0]).bytes == path.stat().st_size
    assert client.files.content(made[0]).read() == path.read_bytes()
    for file in client.files.list(limit=1):
        assert client.files.delete(file.id).deleted
    assert list(client.files.list()) == []


def test_a_bad_file_fails_its_batch_with_every_line_that_is_wrong(client: openai.OpenAI) -> None:
    batch = make(client, line("a"), b"{", line("a"))
    assert batch.status == "failed"
    assert batch.errors is not None
    assert batch.errors.data is not None
    assert [(each.code, each.line) for each in batch.errors.data] == [
        ("invalid_json_line", 2),
        ("duplicate_custom_id", 3),
    ]


def test_batches_are_listed_page_by_page(client: openai.OpenAI) -> None:
    made = [make(client, line("a")).id for _ in range(3)]
    assert [batch.id for batch in client.batches.list(limit=1)] == made[::-1]


def test_a_cancelled_batch_is_cancelled_and_a_completed_one_can_not_be(client: openai.OpenAI) -> None:
    batch = make(client, *(line(str(number)) for number in range(300)))
    client.batches.cancel(batch.id)
    cancelled = ended(client, batch)
    assert cancelled.status == "cancelled"
    assert cancelled.request_counts is not None
    done = content(client, cancelled.output_file_id) if cancelled.output_file_id else {}
    left = content(client, cancelled.error_file_id)
    assert len(done) == cancelled.request_counts.completed
    assert len(done) + len(left) == 300
    assert {each["error"]["code"] for each in left.values()} == {"batch_cancelled"}
    completed = ended(client, make(client, line("a")))
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(completed.id)


def test_errors_are_those_of_the_sdk(client: openai.OpenAI, up: Up) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.batches.retrieve("batch_none")
    assert "No batch found with id 'batch_none'." in missing.value.message
    assert missing.value.request_id
    with pytest.raises(openai.BadRequestError) as wrong:
        client.batches.create(input_file_id="file-x", endpoint="/v1/embeddings", completion_window="24h")
    assert (wrong.value.code, wrong.value.param) == ("invalid_value", "endpoint")
    with openai.OpenAI(base_url=f"{up.url}/v1", api_key="none") as stranger, pytest.raises(openai.AuthenticationError):
        stranger.models.list()


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    (model,) = client.models.list()
    assert client.models.retrieve(model.id) == model


def test_the_async_client_goes_the_same_way(up: Up) -> None:
    asyncio.run(_go_async(up))


async def _go_async(up: Up) -> None:
    async with openai.AsyncOpenAI(base_url=f"{up.url}/v1", api_key=up.key) as client:
        file = await client.files.create(file=("input.jsonl", as_file([line("a"), line("b")])), purpose="batch")
        batch = await client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h")
        async with asyncio.timeout(60):
            while batch.status not in FINAL:
                await asyncio.sleep(0.1)
                batch = await client.batches.retrieve(batch.id)
        assert batch.status == "completed"
        assert batch.output_file_id is not None
        output = await client.files.content(batch.output_file_id)
        assert len(output.text.splitlines()) == 2
        assert [each.id async for each in _listed(client)] == [batch.id]


async def _listed(client: openai.AsyncOpenAI) -> AsyncIterator[Batch]:
    async for batch in client.batches.list(limit=1):
        yield batch
