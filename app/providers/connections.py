"""Connections that know their exchange: its deadline, and whether any of its bytes may have left."""

import http.client
import io
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

IDLE_SECONDS = 5.0


class Exchange(threading.local):
    """The exchange that this thread is in; connections are made deep inside urllib3, so they look it up here."""

    monotonic: Callable[[], float] = staticmethod(time.monotonic)
    deadline_at: float = 0.0
    connect_timeout_seconds: float = 0.0
    may_have_sent: bool = False

    def start(self, monotonic: Callable[[], float], deadline_at: float, connect_timeout_seconds: float) -> None:
        """A new exchange begins: nothing of it was sent."""
        self.monotonic, self.deadline_at = monotonic, deadline_at
        self.connect_timeout_seconds, self.may_have_sent = connect_timeout_seconds, False

    def remaining_seconds(self) -> float:
        """What is left of it.

        Raises:
            TimeoutError: nothing is.
        """
        left = self.deadline_at - self.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


exchange = Exchange()


def new_adapter() -> HTTPAdapter:
    """An adapter for one thread: it keeps one connection for each host, and sends nothing twice."""
    adapter = HTTPAdapter(pool_connections=4, pool_maxsize=1, max_retries=0)
    adapter.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    return adapter


class _BeforeDeadline(io.RawIOBase):
    """Reads a socket until the deadline of the exchange; a time-out for each read would let a server drip for ever."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self._sock = raw, sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(exchange.remaining_seconds())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class Answer(http.client.HTTPResponse):
    """Is read before the deadline of its exchange, or not at all."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_BeforeDeadline(self.fp.detach(), sock))


class TimedConnection(HTTPConnection):
    """Keeps to the times of its exchange, and notes when the first byte leaves."""

    response_class = Answer
    used_at: float = 0.0

    @property
    def is_connected(self) -> bool:
        """Whether the pool may use it again: the other end may be closing one that was idle, and what is sent into
        a closing connection has an unknown outcome."""
        return super().is_connected and exchange.monotonic() - self.used_at <= IDLE_SECONDS

    def connect(self) -> None:
        """DNS, TCP and TLS, which have a time-out of their own."""
        self.timeout = min(exchange.connect_timeout_seconds, exchange.remaining_seconds())
        super().connect()
        self.timeout = exchange.remaining_seconds()  # DNS has no time-out: what starts too late outlives the lease
        self.sock.settimeout(self.timeout)

    def send(self, data: Any) -> None:
        """Everything that leaves goes through here, so here and nowhere earlier it may have arrived."""
        if self.sock is None:
            self.connect()
        exchange.may_have_sent = True
        super().send(data)

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # urllib3 says it too
        response = super().getresponse()
        self.used_at = exchange.monotonic()
        return response


class TimedTLSConnection(TimedConnection, HTTPSConnection):
    """The same over TLS."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = TimedConnection


class _TLSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = TimedTLSConnection
