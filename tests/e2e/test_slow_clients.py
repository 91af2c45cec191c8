"""Slow clients cost buffers and no threads: those who send a byte at a time, and those who stop reading."""

import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from tests.e2e.processes import Processes, Up

THREADS = 4
UPLOADS = 20
READERS = 6
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


def test_readers_who_stop_reading_keep_no_thread(up: Up) -> None:
    # Each prompt comes back in its answer: some 30 MB, more than a connection's buffers take.
    long_texts = {str(number): f"{number} " + "Name a river. " * 4500 for number in range(480)}
    batch_id = up.submit(long_texts)
    assert up.finished(batch_id)["counts"]["completed"] == len(long_texts)
    with ExitStack() as stack:
        readers = [stack.enter_context(connected(up, receive_bytes=4096)) for _ in range(READERS)]
        for reader in readers:
            reader.sendall(head(up, f"GET /api/batches/{batch_id}/results"))
        assert [reader.recv(12) for reader in readers] == [b"HTTP/1.1 200"] * READERS
        began = time.monotonic()
        assert requests.get(f"{up.url}/healthz", timeout=10).status_code == 200
        assert up.finished(up.submit({"1": "Name a lake."}), seconds=15)["counts"]["completed"] == 1
        assert time.monotonic() - began < 15
