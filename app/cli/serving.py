"""The web server: waitress, which reads each request to its end before a thread of ours sees it."""

import socket
import time

import waitress
from flask import Flask
from waitress.task import ThreadedTaskDispatcher

from app.config import Settings
from app.errors import UnsafeConfiguration

FINISH_SECONDS = 10.0


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        UnsafeConfiguration: the port can't be had.
    """
    try:
        return socket.create_server((host, port), backlog=1024)
    except OSError as error:
        words = f"port {port} of {host} can't be had: {error.strerror}; HIVEBATCH_PORT or --port names another"
        raise UnsafeConfiguration(words) from error


def serve(app: Flask, listener: socket.socket, settings: Settings) -> None:
    """Answer requests until SystemExit or KeyboardInterrupt is raised in this thread, then finish those under way.

    A slow sender keeps a buffer, not a thread. A body far over the limit is cut off by the server itself; the one
    just over it is answered by the application, which can say what and where.
    """
    threads = _FinishingDispatcher()
    threads.set_thread_count(settings.web_threads)
    server = waitress.create_server(
        app,
        _dispatcher=threads,
        sockets=[listener],
        threads=settings.web_threads,
        max_request_body_size=2 * max(settings.max_body_bytes, settings.max_callback_bytes),
        # What a slow reader has not taken yet goes to a file, or it would keep the thread that a callback needs.
        outbuf_high_watermark=2**40,
        channel_timeout=120,
        connection_limit=1000,
        ident=None,
    )
    server.run()


class _FinishingDispatcher(ThreadedTaskDispatcher):  # type: ignore[misc]  # waitress has no types
    """Answers what was read before it ends: a callback that is dropped here may never be sent again."""

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        deadline = time.monotonic() + FINISH_SECONDS
        while (self.queue or self.active_count) and time.monotonic() < deadline:
            time.sleep(0.01)
        finished: bool = super().shutdown(cancel_pending, timeout)
        return finished
