"""Restarts: what is on its way when a process is told to stop is finished; the next one takes over without a gap."""

import json
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from uuid import UUID, uuid4

import pytest
import requests
from sqlalchemy import func, select

from app.ids import show
from app.models import jobs
from app.runtime import Runtime, build
from app.services import keys
from app.services.claims import Claim
from migrations import runner
from tests.conftest import make_settings
from tests.e2e.processes import STOP_SECONDS, Process, Processes, eventually
from tests.factories import counts, inbox_rows, job, submit, take, token_of
from tests.fakes import FakeProvider, RecordingDoorbell, success
from tests.servers import Redis, free_port

CALLBACKS = 20
PROMPTS = 40
SENDERS = 4
JOBS = 3
"""In each batch that is submitted during the restart."""


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    """An installation on a file, as this process sees it; the processes under test see the same file."""
    with installed(f"sqlite:///{tmp_path / 'hivebatch.db'}") as built:
        yield built


@pytest.fixture
def on_either(database_url: str) -> Iterator[Runtime]:
    """The same, once on a file and once on PostgreSQL."""
    with installed(database_url) as built:
        yield built


@contextmanager
def installed(database_url: str) -> Iterator[Runtime]:
    settings = make_settings(database_url=database_url, lease_seconds=600.0)
    built = replace(build(settings, RecordingDoorbell()), providers={"hive_v2": FakeProvider()})
    runner.upgrade(built.database)
    yield built
    built.close()


def variables(runtime: Runtime) -> dict[str, str]:
    settings = runtime.settings
    return {
        "HIVEBATCH_DATABASE_URL": settings.resolved_database_url,
        "HIVEBATCH_SECRET_KEY": settings.secret_keys[0],
        "HIVEBATCH_PUBLIC_URL": "http://127.0.0.1:8000",
        "HIVEBATCH_HIVE_KEY": "a-key",
    }


def web(processes: Processes, runtime: Runtime, folder: Path, name: str) -> tuple[Process, int]:
    """A web process that answers, and its port."""
    port = free_port()
    arguments = ("web", "--host", "127.0.0.1", "--port", str(port))
    process = processes.hivebatch(*arguments, folder=folder, name=name, **variables(runtime))
    eventually(lambda: requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).ok, 40, f"{name} answers")
    return process, port


def call_back(port: int, claimed: Claim) -> int:
    """Deliver the answer on a connection of its own; the status."""
    path = f"/callbacks/hive/{token_of(claimed.submission)}"
    return requests.post(f"http://127.0.0.1:{port}{path}", data=success(), timeout=30).status_code


# --- web ---


def test_callbacks_that_wait_for_their_commit_are_kept_and_answered_before_a_web_process_ends(
    processes: Processes, runtime: Runtime, tmp_path: Path
) -> None:
    batch_id = submit(runtime, *["a"] * CALLBACKS)
    claims = take(runtime)
    process, port = web(processes, runtime, tmp_path, "web")
    in_the_way = sqlite3.connect(tmp_path / "hivebatch.db", isolation_level=None)
    in_the_way.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(CALLBACKS) as threads:
        answers = [threads.submit(call_back, port, claimed) for claimed in claims]
        time.sleep(1.5)  # all of them have arrived, and wait
        assert not any(answer.done() for answer in answers)
        stopping = threads.submit(process.stop, STOP_SECONDS)
        time.sleep(0.5)
        assert process.is_running
        in_the_way.execute("ROLLBACK")
        assert [answer.result(STOP_SECONDS) for answer in answers] == [200] * CALLBACKS
        assert stopping.result(STOP_SECONDS) == 0
    in_the_way.close()
    assert counts(runtime, batch_id) == {"completed": CALLBACKS}
    assert len(inbox_rows(runtime)) == CALLBACKS
    assert "Traceback" not in process.stderr


class Proxy(ThreadingTCPServer):
    """What stands in front of web processes: a new connection goes to `target`, one that is open stays where it is."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), _Pump)
        self.target = target
        self.open: list[int] = []
        self.lock = threading.Lock()
        self.port: int = self.server_address[1]

    def has_left(self, port: int) -> bool:
        """Whether no connection to that process is open any more."""
        with self.lock:
            return port not in self.open


class _Pump(BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        with self.server.lock:
            target = self.server.target
            self.server.open.append(target)
        try:
            with socket.create_connection(("127.0.0.1", target), timeout=30) as behind:
                back = threading.Thread(target=_pour, args=(behind, self.request), daemon=True)
                back.start()
                _pour(self.request, behind)
                back.join(30)
        finally:
            with self.server.lock:
                self.server.open.remove(target)


def _pour(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy(0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_rolling_restart_loses_no_callback_and_no_batch(
    processes: Processes, on_either: Runtime, proxy: Proxy, tmp_path: Path
) -> None:
    batch_id = submit(on_either, *["a"] * PROMPTS)
    claims = take(on_either)
    headers = {"Authorization": f"Bearer {keys.create(on_either, 'alice', 'tests').secret}"}
    old, proxy.target = web(processes, on_either, tmp_path, "web-0")
    is_over = threading.Event()

    def keep_calling_back(number: int) -> list[int]:
        """Deliver every answer of one's own again and again; what each delivery was told."""
        mine, statuses = claims[number::SENDERS], []
        while len(statuses) < len(mine) or not is_over.is_set():
            statuses.append(call_back(proxy.port, mine[len(statuses) % len(mine)]))
        return statuses

    def keep_submitting() -> list[tuple[int, str]]:
        """Submit one batch after the other, each of them twice with the same Idempotency-Key; statuses and ids."""
        url = f"http://127.0.0.1:{proxy.port}/api/batches"
        body = {"jobs": [{"custom_id": f"job-{number}", "text_data": "b"} for number in range(JOBS)]}
        answers: list[tuple[int, str]] = []
        while not is_over.is_set():
            once = headers | {"Idempotency-Key": str(uuid4())}
            answers += [told(requests.post(url, json=body, headers=once, timeout=30)) for _ in range(2)]
        return answers

    with ThreadPoolExecutor(SENDERS + 1) as senders:
        submitting = senders.submit(keep_submitting)
        calling = [senders.submit(keep_calling_back, number) for number in range(SENDERS)]
        for restart in (1, 2):
            new, port = web(processes, on_either, tmp_path, f"web-{restart}")
            left, proxy.target = proxy.target, port
            eventually(lambda left=left: proxy.has_left(left), 20, "the old one has no connection")
            assert old.stop(STOP_SECONDS) == 0
            old = new
        is_over.set()
        statuses = [status for sender in calling for status in sender.result(60)]
        answers = submitting.result(60)
    assert set(statuses) == {200}
    assert counts(on_either, batch_id) == {"completed": PROMPTS}
    assert sum(row.times for row in inbox_rows(on_either)) == len(statuses) > PROMPTS
    assert [status for status, _ in answers] == [201, 200] * (len(answers) // 2)
    batches = Counter(shown for _, shown in answers)
    assert set(batches.values()) == {2}
    assert {show("batch", each): number for each, number in stored(on_either)} == {
        show("batch", batch_id): PROMPTS,
        **dict.fromkeys(batches, JOBS),
    }


def told(answer: requests.Response) -> tuple[int, str]:
    """Its status and the id in it. (Who keeps a response keeps its connection.)"""
    return answer.status_code, answer.json().get("id", answer.text)


def stored(runtime: Runtime) -> Sequence[tuple[UUID, int]]:
    """Each batch, and how many jobs it has."""
    query = select(jobs.c.batch_id, func.count()).group_by(jobs.c.batch_id)
    with runtime.database.reading() as connection:
        return [(row[0], row[1]) for row in connection.execute(query)]


# --- worker ---


class _Slow(BaseHTTPRequestHandler):
    """A provider that takes every task, and says so when the test lets it."""

    server: "SlowProvider"

    def do_POST(self) -> None:
        submitted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append(submitted["metadata"])
        assert self.server.may_answer.wait(30)
        body = json.dumps({"task_id": f"task-{uuid4()}"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class SlowProvider(ThreadingHTTPServer):
    """`seen` has the metadata of each submit; none is answered before `may_answer`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Slow)
        self.seen: list[str] = []
        self.may_answer = threading.Event()


@pytest.fixture
def provider() -> Iterator[SlowProvider]:
    with SlowProvider() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.may_answer.set()
        server.shutdown()
        thread.join()


def sent(runtime: Runtime, batch_id: UUID, names: Sequence[str], is_sent: Callable[[str], bool]) -> list[str]:
    """The jobs of which an attempt is in such a state."""
    return [name for name in names if any(is_sent(attempt.state) for attempt in job(runtime, batch_id, name).attempts)]


def test_a_worker_told_to_stop_waits_for_what_it_sent_and_sends_no_more(
    processes: Processes, runtime: Runtime, provider: SlowProvider, tmp_path: Path
) -> None:
    names = [f"job-{number}" for number in range(8)]
    batch_id = submit(runtime, *names)
    hive = {"HIVEBATCH_HIVE_URL": f"http://127.0.0.1:{provider.server_address[1]}", "HIVEBATCH_CONNECTIONS": "3"}
    hive |= {"HIVEBATCH_ECHO": "off"}  # no web process answers
    with Redis() as redis:
        broker = {"HIVEBATCH_BROKER_URL": redis.url}
        process = processes.hivebatch("worker", folder=tmp_path, name="worker", **variables(runtime), **hive, **broker)
        eventually(lambda: len(provider.seen) == 3, 40, "three submits are on their way")
        with ThreadPoolExecutor(1) as threads:
            stopping = threads.submit(process.stop, STOP_SECONDS)
            time.sleep(2)  # it has seen the signal
            assert process.is_running
            provider.may_answer.set()
            assert stopping.result(STOP_SECONDS) == 0, process.stderr
    assert len(provider.seen) == 3
    assert counts(runtime, batch_id) == {"waiting": 3, "queued": 5}
    waiting = sent(runtime, batch_id, names, lambda state: state == "waiting")
    assert sorted(f"job_{job(runtime, batch_id, name).job.id.hex}" for name in waiting) == sorted(provider.seen)
    assert sum(job(runtime, batch_id, name).job.attempts for name in names) == 3
    assert "Traceback" not in process.stderr
