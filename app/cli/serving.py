"""The web server: uvicorn."""

import signal
import socket
from collections.abc import Callable

import uvicorn

from app.api.asgi import Application
from app.errors import UnsafeConfiguration

FINISH_SECONDS = 10
KEEP_ALIVE_SECONDS = 75
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


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


class Server(uvicorn.Server):
    """Answers requests until SIGTERM or SIGINT, which it heeds from the moment it is made.

    Make it before anything that is to end with it, and after the application: an exception out of a signal's handler
    can be lost in whatever it interrupts, an import for one, so that the handler only takes note.
    Nothing but the server stands in front of the application: TLS and the patience with clients that never finish
    their headers belong to the proxy before it.
    """

    def __init__(self, application: Application, on_stop: Callable[[], None] = lambda: None) -> None:
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
        super().__init__(config)
        self._on_stop = on_stop
        for number in STOP_SIGNALS:
            signal.signal(number, self.handle_exit)

    def answer(self, listener: socket.socket) -> None:
        """Return when told to stop, once `on_stop` was called and the requests under way are finished."""
        self.run([listener])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that it stops before waiting for what is under way, so that whoever waits for an answer can be told."""
        self._on_stop()
        await super().shutdown(sockets)
