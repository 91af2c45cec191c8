"""The web server: waitress, which reads each request to its end before a thread of ours sees it."""

import socket

import waitress
from flask import Flask

from app.config import Settings


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one."""
    return socket.create_server((host, port), backlog=1024)


def serve(app: Flask, listener: socket.socket, settings: Settings) -> None:
    """Answer requests until SystemExit or KeyboardInterrupt is raised in this thread, then finish those under way.

    A slow sender keeps a buffer, not a thread. A body far over the limit is cut off by the server itself; the one
    just over it is answered by the application, which can say what and where.
    """
    server = waitress.create_server(
        app,
        sockets=[listener],
        threads=settings.web_threads,
        max_request_body_size=2 * settings.max_body_bytes,
        channel_timeout=120,
        connection_limit=1000,
        ident=None,
    )
    server.run()
