"""A client for a served sandbox, and a receiver of its callbacks."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Event, Thread
from typing import Any

import requests

from app.sandbox.server import SandboxServer

PATIENCE = 10.0


class _Server(ThreadingHTTPServer):
    request_queue_size = 500  # with the five by default, a busy machine refuses connections that were to be taken


class Receiver:
    """Takes callbacks on a free port and lets a test wait for them."""

    def __init__(self) -> None:
        self.status = 200
        self.may_answer = Event()
        self.may_answer.set()
        self._bodies: list[bytes] = []
        self._arrived = Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._take(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                if 300 <= receiver.status < 400:
                    self.send_header("Location", receiver.url)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/cb"

    def _take(self, body: bytes) -> None:
        with self._arrived:
            self._bodies.append(body)
            self._arrived.notify_all()
        assert self.may_answer.wait(PATIENCE)

    def raw(self, count: int) -> list[bytes]:
        """The first `count` bodies, in order of arrival."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self._bodies) >= count, PATIENCE), f"only {len(self._bodies)}"
            return self._bodies[:count]

    def wait(self, count: int) -> list[dict[str, Any]]:
        """The same, parsed."""
        return [json.loads(body) for body in self.raw(count)]

    @property
    def count(self) -> int:
        return len(self._bodies)

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Client:
    """Speaks to one sandbox; every request on a connection of its own."""

    def __init__(self, server: SandboxServer, receiver: Receiver) -> None:
        self.server, self.receiver = server, receiver
        self.headers = {"Authorization": "Token secret"}

    def call(self, method: str, path: str, **how: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            how.setdefault("headers", self.headers)
            return session.request(
                method, self.server.url + path, timeout=PATIENCE, **{"allow_redirects": False, **how}
            )

    def submit(self, prompt: str = "List three rivers", **fields: Any) -> requests.Response:
        body = {"text_data": prompt, "callback_url": self.receiver.url} | fields
        return self.call("POST", "/api/v2/task/async", json=body)

    def sync(self, prompt: str = "List three rivers", **fields: Any) -> requests.Response:
        return self.call("POST", "/api/v2/task/sync", json={"text_data": prompt} | fields)

    def look_up(self, task_id: str) -> requests.Response:
        return self.call("GET", "/api/v2/task", params={"task_id": task_id})

    def ledger(self, **params: int) -> dict[str, Any]:
        """The ledger once every callback was sent."""
        ledger: dict[str, Any] = self.call("GET", "/sandbox/ledger", params={"settle": 10} | params).json()
        assert ledger["settled"]
        return ledger


Serve = Callable[..., Client]
