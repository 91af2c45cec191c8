"""A provider that takes every task; the test calls back when it likes."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from uuid import uuid4

import requests

from tests.fakes import success


class TakesAll(BaseHTTPRequestHandler):
    """A provider that takes every task and leaves it to the test to call back."""

    protocol_version = "HTTP/1.1"
    server: "Taker"

    def do_POST(self) -> None:
        submitted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.callback_urls.put(submitted["callback_url"])
        body = json.dumps({"task_id": f"task-{uuid4()}"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Taker(ThreadingHTTPServer):
    """Serves it on a free port; `callback_urls` has one for each task."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), TakesAll)
        self.callback_urls: SimpleQueue[str] = SimpleQueue()


def call_back(taker: Taker, text: str) -> None:
    """Answer the next task; whoever is called has to keep it within seconds."""
    url = taker.callback_urls.get(timeout=20)
    assert requests.post(url, data=success(text), timeout=10).status_code == 200
