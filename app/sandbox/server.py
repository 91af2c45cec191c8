"""Serves a sandbox on a port of this machine: threads, keep-alive, real connection resets."""

import socket
import struct
from contextlib import suppress
from io import BytesIO
from threading import Event, Lock, RLock, Thread
from types import TracebackType
from typing import Any, Self

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Response

from app.sandbox import Sandbox, create_sandbox
from app.sandbox.config import SandboxConfig
from app.sandbox.views import CUT

IDLE_SECONDS = 60
STOP_SECONDS = 5.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class SandboxServer:
    """A sandbox with a port; port 0 takes a free one. A context manager, and `serve_forever` for a process."""

    def __init__(self, config: SandboxConfig | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.app = create_sandbox(config or SandboxConfig())
        self.sandbox: Sandbox = self.app.extensions["sandbox"]
        self._server = _Server(host, port, self.app, handler=_Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="sandbox-server", daemon=True)
        self._stopped = Event()
        self._changing = RLock()  # stop may be called by a signal while it runs
        self.host = host

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> Self:
        """Serve in a thread, and return at once; after `stop` it does nothing."""
        with self._changing:
            if not self._stopped.is_set():
                self._thread.start()
        return self

    def stop(self) -> None:
        """End every thread and close every socket; a second call does nothing."""
        with self._changing:
            if self._stopped.is_set():
                return
            self._stopped.set()
            if self._thread.is_alive():
                self._server.shutdown()
                self._thread.join()
            self.sandbox.close()
            self._server.hang_up()
            self._server.server_close()

    def serve_forever(self) -> None:
        """Serve until `stop` is called or the process is interrupted."""
        self.start()
        try:
            self._stopped.wait()
        finally:
            self.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(ThreadedWSGIServer):
    """Knows its open connections, so that it can end them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lock = Lock()
        self._open: dict[Thread, socket.socket] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        with self._lock:
            self._open = {known: sock for known, sock in self._open.items() if known.is_alive()} | {thread: request}
        thread.start()

    def hang_up(self) -> None:
        """Close every connection and wait for its thread."""
        with self._lock:
            connections = dict(self._open)
        for connection in connections.values():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in connections:
            thread.join(STOP_SECONDS)


class _Handler(WSGIRequestHandler):
    """Serves one connection; unlike its base it keeps it open between requests, and can reset it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS

    def run_wsgi(self) -> None:
        """Read the whole request, run the app, send the whole answer."""
        environ = self.make_environ()
        body = self._read_body(environ)
        cut = Event()
        environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body)), CUT: cut.set}
        response = Response.from_app(self.server.app, environ, buffered=True)
        if cut.is_set():
            self._reset_connection()
        else:
            self._send(response)

    def log(self, *_: Any) -> None:
        """Log nothing."""

    def _read_body(self, environ: dict[str, Any]) -> bytes:
        if environ.get("wsgi.input_terminated"):  # a chunked body
            return bytes(environ["wsgi.input"].read())
        return self.rfile.read(int(environ.get("CONTENT_LENGTH") or 0))

    def _send(self, response: Response) -> None:
        self.send_response(response.status_code)
        for name, value in response.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.get_data())

    def _reset_connection(self) -> None:
        """Close so that the client sees a reset: no lingering, and no orderly shutdown before."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.close_connection = True
        self.rfile.close()
        self.connection.close()
