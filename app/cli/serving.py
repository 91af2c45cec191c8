"""The web server: uvicorn."""

import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from app.api.bridge import Application
from app.errors import UnsafeConfiguration

FINISH_SECONDS = 10
KEEP_ALIVE_SECONDS = 75


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


def serve(application: Application, listener: socket.socket, on_stop: Callable[[], None] = lambda: None) -> None:
    """Answer requests until SIGTERM or SIGINT, then call `on_stop` and finish those under way.

    Nothing but the server stands in front of the application: TLS and the patience with clients that never finish
    their headers belong to the proxy before it.
    """
    config = uvicorn.Config(
        application,
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    with suppress(SystemExit, KeyboardInterrupt):  # the signal's own handler is called too, when all is finished
        _Server(config, on_stop).run([listener])


class _Server(uvicorn.Server):
    """Says that it stops before it waits for what is under way, so that whoever waits for an answer can be told."""

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        await super().shutdown(sockets)
