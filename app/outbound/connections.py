"""Connections to receivers of webhooks: to an address that was looked at and to no other, for a short answer."""

import io
import socket
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util.connection import create_connection

from app.outbound.addresses import Guard
from app.providers.connections import Answer, TimedConnection, TimedTLSConnection

MAX_ANSWER_BYTES = 65_536


def new_adapter(guard: Guard) -> HTTPAdapter:
    """An adapter for one exchange, below the sessions of `requests`: so there are no redirects and no proxies."""
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=0)
    adapter.poolmanager.pool_classes_by_scheme = {
        "http": partial(_Pool, guard=guard),
        "https": partial(_TLSPool, guard=guard),
    }
    return adapter


class _AtMost(io.RawIOBase):
    """Ends after so many bytes, whatever the other end still sends, head and body together."""

    def __init__(self, raw: io.RawIOBase, most: int) -> None:
        self._raw, self._left = raw, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if not self._left:
            return 0
        read = self._raw.readinto(memoryview(buffer)[: self._left])
        self._left -= read or 0
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()


class _ShortAnswer(Answer):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_AtMost(self.fp.detach(), MAX_ANSWER_BYTES))


class _Connection(TimedConnection):
    response_class = _ShortAnswer
    guard: Guard

    def _new_conn(self) -> socket.socket:
        return _connected(self, self.guard, is_plain=True)


class _TLSConnection(TimedTLSConnection):
    """The certificate is held against the name in the URL, whichever address was taken."""

    response_class = _ShortAnswer
    guard: Guard

    def _new_conn(self) -> socket.socket:
        return _connected(self, self.guard, is_plain=False)


class _Pool(urllib3.HTTPConnectionPool):
    def __init__(self, *args: Any, guard: Guard, **options: Any) -> None:
        self.ConnectionCls = type("Connection", (_Connection,), {"guard": guard})
        super().__init__(*args, **options)


class _TLSPool(urllib3.HTTPSConnectionPool):
    def __init__(self, *args: Any, guard: Guard, **options: Any) -> None:
        self.ConnectionCls = type("Connection", (_TLSConnection,), {"guard": guard})
        super().__init__(*args, **options)


def _connected(connection: TimedConnection, guard: Guard, *, is_plain: bool) -> socket.socket:
    """A socket to the first address that takes one; what was looked at is what is connected to."""
    deadline_at = time.monotonic() + float(connection.timeout or 0)
    # With the dot at its end, if it has one: that keeps the search list of this machine out of it.
    host, port = connection._dns_host.strip("[]"), int(connection.port or 0)  # noqa: SLF001 - urllib3 has no other word
    return _first(guard.addresses(host, port, is_plain=is_plain), port, deadline_at, connection.socket_options)


def _first(addresses: Sequence[str], port: int, deadline_at: float, options: Any) -> socket.socket:
    failed: OSError | None = None
    for address in addresses:
        left = deadline_at - time.monotonic()
        if left <= 0:
            break
        try:
            return create_connection((address, port), left, socket_options=options)
        except OSError as error:
            failed = error
    raise failed or TimeoutError("timed out")
