"""A large file of the Batch API whose only worker is killed in the middle: nothing changes but the time."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import openai
import psycopg
import pytest

from app.sandbox.results import answer_for
from tests.e2e import audit, books
from tests.e2e.client import Asked, Client
from tests.e2e.procfile import Process, Production, until
from tests.integration.openai_client import ENDPOINT, as_file, line

LINES = int(os.environ.get("BATCH_LINES", "3000"))
"""`BATCH_LINES=50000` for as many as OpenAI takes."""
PER_SECOND = 100
"""Far less than it makes, on a machine that has other things to do."""
ACCEPTED_SECONDS = 15
MAY_GROW_MB = 30


@pytest.fixture
def production() -> Iterator[Production]:
    with Production(profile="calm", workers=1) as running:
        yield running


class Memory:
    """The megabytes that each process has in use, at the moments that were noted."""

    def __init__(self, production: Production) -> None:
        self._production = production
        self.noted: dict[str, dict[str, float]] = {}

    def note(self, when: str) -> None:
        processes: Mapping[str, Process] = {"web": self._production.web, "worker": self._production.workers[0]}
        self.noted[when] = {name: _megabytes(process.pid) for name, process in processes.items()}

    def grown(self, name: str, start: str, end: str) -> float:
        return self.noted[end][name] - self.noted[start][name]

    def __str__(self) -> str:
        return "\n".join(
            f"  {when}: " + ", ".join(f"{name} {size:.0f} MB" for name, size in sizes.items())
            for when, sizes in self.noted.items()
        )


def _megabytes(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.slow
@pytest.mark.timeout(LINES / PER_SECOND + 180)
def test_a_killed_worker_changes_nothing_but_the_time(
    production: Production, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [Asked(f"line-{number}", f"Question {number}: who is number {number}?") for number in range(LINES)]
    client, memory = Client.of(production), Memory(production)
    with openai.OpenAI(base_url=f"{production.url}/v1", api_key=client.key) as sdk:
        memory.note("ready")
        began = time.monotonic()
        batch_id = _made(sdk, asked)
        accepted = time.monotonic() - began
        assert accepted < ACCEPTED_SECONDS
        memory.note("accepted")
        client.accepted |= dict.fromkeys((job.custom_id for job in asked), batch_id)
        _until_over(client, 0.3)
        memory.note("30 % over, about to be killed")
        abandoned = _kill_in_the_middle(production)
        for share in (0.5, 0.75):
            _until_over(client, share)
            memory.note(f"{share:.0%} over")
        client.wait_until_over(LINES / PER_SECOND)
        took = time.monotonic() - began
        memory.note("all over")
        told = _told(sdk, batch_id)
        memory.note("read")
    assert told == {job.custom_id: answer_for(job.text_data, None) for job in asked}
    read = books.read(production)
    with capsys.disabled():
        print(f"\n{LINES} lines, accepted in {accepted:.1f} s, over in {took:.0f} s; {abandoned} jobs were in the dead")
        print(f"worker's hands\n{memory}\n{read.figures()}")
    audit.all_of_it(client, asked, read)
    assert memory.grown("web", "accepted", "read") < MAY_GROW_MB
    assert memory.grown("worker", "50% over", "read") < MAY_GROW_MB


def _made(sdk: openai.OpenAI, asked: list[Asked]) -> str:
    lines = as_file([line(job.custom_id, job.text_data, model="hivebatch/hive_v2") for job in asked])
    file = sdk.files.create(file=("input.jsonl", lines), purpose="batch")
    batch = sdk.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h")
    assert batch.request_counts is not None
    assert (batch.status, batch.request_counts.total) == ("in_progress", len(asked)), batch
    return batch.id


def _until_over(client: Client, share: float) -> None:
    until(lambda: client.ended() >= share * LINES, LINES / PER_SECOND, f"{share:.0%} of the lines are over")


def _kill_in_the_middle(production: Production) -> int:
    """Kill the worker while jobs are in its hands, then start it again; how many they were."""
    (worker,) = production.workers
    for _ in range(20):
        until(lambda: _submitting(production) > 0, 40, "the worker has jobs in its hands")
        worker.kill()
        abandoned = _submitting(production)
        worker.start()
        if abandoned:
            return abandoned
    raise AssertionError("the worker was never killed while it had anything in its hands")


def _submitting(production: Production) -> int:
    with psycopg.connect(production.dsn) as connection:
        row = connection.execute("SELECT count(*) FROM jobs WHERE state = 'submitting'").fetchone()
    assert row is not None
    return int(row[0])


def _told(sdk: openai.OpenAI, batch_id: str) -> dict[str, Any]:
    """The answers by custom_id. Each line has one, and stands there once."""
    batch = sdk.batches.retrieve(batch_id)
    assert batch.request_counts is not None
    assert (batch.status, batch.request_counts.completed, batch.error_file_id) == ("completed", LINES, None), batch
    assert batch.output_file_id is not None
    lines = [json.loads(each) for each in sdk.files.content(batch.output_file_id).text.splitlines()]
    assert len(lines) == LINES
    return {each["custom_id"]: each["response"]["body"]["choices"][0]["message"]["content"] for each in lines}
