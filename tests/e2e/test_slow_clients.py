"""Slow clients cost buffers and no threads: those who send a byte at a time, and those who stop reading."""

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from tests.e2e.processes import Processes, Up, eventually
from tests.e2e.taker import Taker, call_back

THREADS = 4
UPLOADS = 20
READERS = 6
NOVELS = 10  # whose answers together are more than the buffers of a connection take
NOVEL_CHARS = 3_000_000
DRIP_SECONDS = 0.2


@pytest.fixture
def up(processes: Processes, tmp_path: Path) -> Up:
    """A service with few threads, and a sandbox that does everything right."""
    few = {"HIVEBATCH_WEB_THREADS": str(THREADS), "HIVEBATCH_SWEEP_SECONDS": "60"}
    return processes.up(tmp_path, "--sandbox", "--profile", "calm", "--port", "0", **few)


def connected(up: Up, *, receive_bytes: int | None = None) -> socket.socket:
    """A connection of its own, with room for that many bytes on its side."""
    client = socket.socket()
    if receive_bytes is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    client.settimeout(20)
    client.connect(("127.0.0.1", int(up.port)))
    return client


def head(up: Up, request: str, *headers: str) -> bytes:
    lines = [f"{request} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {up.key}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Uploads:
    """Batches that are sent a byte at a time, from a thread, until they are whole."""

    def __init__(self, clients: Sequence[socket.socket], body: bytes) -> None:
        self._clients = clients
        self._body = body
        self.sent = 0
        self.is_hurried = threading.Event()
        self._thread = threading.Thread(target=self._drip)

    def _drip(self) -> None:
        while self.sent < len(self._body) and not self.is_hurried.wait(DRIP_SECONDS):
            for client in self._clients:
                client.sendall(self._body[self.sent : self.sent + 1])
            self.sent += 1

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> list[int]:
        """Send the rest at once; the status of each answer."""
        self.is_hurried.set()
        self._thread.join(20)
        for client in self._clients:
            client.sendall(self._body[self.sent :])
        return [int(client.recv(100).split()[1]) for client in self._clients]


@contextmanager
def dripping(up: Up) -> Iterator[Uploads]:
    body = json.dumps({"jobs": [{"custom_id": "1", "text_data": "Name a river. " * 20}]}).encode()
    start = head(up, "POST /api/batches", "Content-Type: application/json", f"Content-Length: {len(body)}")
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(up)) for _ in range(UPLOADS)]
        for client in clients:
            client.sendall(start)
        uploads = Uploads(clients, body)
        uploads.start()
        stack.callback(uploads.is_hurried.set)
        yield uploads


def test_uploads_of_a_byte_at_a_time_delay_no_callback(up: Up) -> None:
    with dripping(up) as uploads:
        batch_id = up.submit({str(number): f"Name river number {number}." for number in range(20)})
        batch = up.finished(batch_id, seconds=15)
        assert (batch["counts"]["completed"], batch["retries"]) == (20, 0)
        assert uploads.sent > 0
        assert not uploads.is_hurried.is_set()
        assert uploads.finish() == [201] * UPLOADS


def reader_of(up: Up, batch_id: str) -> socket.socket | None:
    """A client to whom results are sent, and who has read no more of them than that; None if there was no place."""
    reader = connected(up, receive_bytes=4096)
    reader.sendall(head(up, f"GET /api/batches/{batch_id}/results"))
    if reader.recv(12) == b"HTTP/1.1 200":
        return reader
    reader.close()
    return None


def test_readers_who_stop_reading_keep_no_thread_from_a_callback(
    processes: Processes, taker: Taker, tmp_path: Path
) -> None:
    provider = {"HIVEBATCH_HIVE_URL": f"http://127.0.0.1:{taker.server_port}", "HIVEBATCH_HIVE_KEY": "a-key"}
    up = processes.up(tmp_path, **provider, HIVEBATCH_WEB_THREADS=str(THREADS))
    batch_id = up.submit({str(number): "Write a novel." for number in range(NOVELS)})
    for _ in range(NOVELS):
        call_back(taker, "x" * NOVEL_CHARS)
    up.finished(batch_id, seconds=20)
    short_one = up.submit({"1": "Name a lake."})
    with ExitStack() as stack:
        for _ in range(READERS):
            # While an answer is written it has the one place of those that stream; then it waits in its buffer.
            stack.enter_context(eventually(lambda: reader_of(up, batch_id), 20, "there is a place for a reader"))
        assert requests.get(f"{up.url}/healthz", timeout=10).status_code == 200
        call_back(taker, "Baikal")
        assert up.finished(short_one, seconds=10)["counts"]["completed"] == 1
