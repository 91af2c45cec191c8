"""The client of a run: it logs what it was told, comes again with the same request, and keeps its pace."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import pytest

from tests.chaos.load import Load
from tests.e2e.client import Asked
from tests.e2e.procfile import until


class Service(ThreadingHTTPServer):
    """Answers submits with these statuses in turn, then 201; knows the batch of each idempotency key."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = list(statuses)
        self.requests: list[tuple[str, bytes]] = []
        self.batches: dict[str, int] = {}


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        key, body = self.headers["Idempotency-Key"], self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((key, body))
        status = self.server.statuses.pop(0) if self.server.statuses else 201
        if status == 0:
            return  # no answer at all
        if status in (200, 201):
            self.server.batches[key] = len(json.loads(body)["jobs"])
        self._say(status, {"id": key})

    def do_GET(self) -> None:
        number = self.server.batches[self.path.rpartition("/")[2]]
        counts = {"completed": number, "failed": 0, "cancelled": 0}
        self._say(200, {"counts": counts, "finalized_at": "2026-01-31T12:00:00Z"})

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _say(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def service() -> Iterator[Service]:
    with Service(503, 0, 201) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def load(service: Service, tmp_path: Path) -> Iterator[Load]:
    made = Load(f"http://127.0.0.1:{service.server_port}", "a-key", tmp_path / "log", 100, Random(1))
    made.start()
    yield made
    made.stop()


def test_a_request_comes_again_the_same_until_it_is_told_201(load: Load, service: Service, tmp_path: Path) -> None:
    load.give(100)
    until(lambda: load.is_done, 20, "all is submitted and over")
    assert load.log[0].tries == 3
    assert len(set(service.requests[:3])) == 1
    assert sum(service.batches.values()) == load.jobs_accepted == load.jobs_ended == 100
    logged = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [entry["id"] for entry in logged] == [each.batch_id for each in load.log]
    assert [name for entry in logged for name in entry["jobs"]] == [f"job/{number}" for number in range(100)]


def test_what_it_is_asked_to_submit_comes_besides(load: Load, service: Service) -> None:
    batch_id = load.submit([Asked("besides", "Who?")])
    assert service.batches[batch_id] == 1
    load.give(100)
    until(lambda: load.is_done, 20, "all is submitted and over")
    assert sum(service.batches.values()) == load.jobs_accepted == 101


def test_it_submits_no_more_than_it_is_given(load: Load, service: Service) -> None:
    load.give(50)
    until(lambda: load.jobs_accepted > 10, 20, "it has begun")
    until(lambda: load._allowed() == 50, 20, "it may submit all that it was given")
    assert load.jobs_accepted <= 50
    assert not load.is_done
