"""The one place that puts a provider's bytes on the wire, and says for certain when nothing was sent."""

import http.client
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from weakref import WeakSet

import requests
import urllib3
from requests.adapters import HTTPAdapter

from app.providers.connections import exchange, new_adapter

MAX_ANSWER_BYTES = 1_000_000
PIECE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. Header names are looked up in any case; a longer body is cut to `MAX_ANSWER_BYTES`."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NotSent(Exception):
    """Not a byte of the request left: DNS, connecting or the TLS handshake failed. Safe to send again."""


class NoAnswer(Exception):
    """The request was sent, wholly or in part, and no whole answer came: it may have taken effect.

    `code` is `timed_out`, `connection_lost` or `unreadable_answer`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


FOREIGN_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,  # a URL or a header that can't be written
)


class RequestsSender:
    """Sends over kept-alive connections, one for each thread and host. Shared by threads.

    It goes through the adapters of `requests`, below its sessions: so there are no redirects, cookies, environment
    proxies or second tries to switch off, and it takes half of the time.
    """

    def __init__(
        self,
        submit_timeout_seconds: float,
        connect_timeout_seconds: float = 3.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._submit_timeout_seconds = submit_timeout_seconds
        self._connect_timeout_seconds = connect_timeout_seconds
        self._monotonic = monotonic
        self._of_thread = threading.local()
        self._adapters: WeakSet[HTTPAdapter] = WeakSet()
        self._lock = threading.Lock()

    def deadline(self) -> float:
        """By when, on this sender's clock, an exchange that starts now is over."""
        return self._monotonic() + self._submit_timeout_seconds

    def send(self, request: Request, deadline_at: float | None = None) -> Response:
        """One exchange, over at `deadline_at` (default: `deadline()`) however slowly the other end sends.

        Raises:
            NotSent: nothing left this machine.
            NoAnswer: something may have arrived, and no whole answer came back.
        """
        deadline_at = self.deadline() if deadline_at is None else deadline_at
        exchange.start(self._monotonic, deadline_at, self._connect_timeout_seconds)
        try:
            return self._exchange(request)
        except FOREIGN_ERRORS as error:
            cause = _cause(error)
            if not exchange.may_have_sent:
                raise NotSent(_in_words(cause)) from error
            raise NoAnswer(_code(cause), _in_words(cause)) from error

    def close(self) -> None:
        """Close the connections that no thread is using."""
        with self._lock:
            adapters = list(self._adapters)
        for adapter in adapters:
            adapter.close()

    def _exchange(self, request: Request) -> Response:
        prepared = _prepared(request)
        with closing(self._adapter().send(prepared, stream=True, timeout=exchange.remaining_seconds())) as answer:
            return Response(answer.status_code, answer.headers, _body(answer.raw))

    def _adapter(self) -> HTTPAdapter:
        adapter: HTTPAdapter | None = getattr(self._of_thread, "adapter", None)
        if adapter is None:
            adapter = self._of_thread.adapter = new_adapter()
            with self._lock:
                self._adapters.add(adapter)
        return adapter


def _prepared(request: Request) -> requests.PreparedRequest:
    prepared = _to(request.method, request.url).copy()
    prepared.prepare_headers(request.headers)
    prepared.prepare_body(request.body, None)
    return prepared


@lru_cache(maxsize=64)
def _to(method: str, url: str) -> requests.PreparedRequest:
    """Parsing the URL is most of the work of preparing a request, and every submit has the same."""
    return requests.Request(method, url).prepare()


def _body(raw: urllib3.HTTPResponse) -> bytes:
    """Read to the end, so that the connection can be used again; a body that is cut costs the connection."""
    body = bytearray()
    while len(body) <= MAX_ANSWER_BYTES and (piece := raw.read(PIECE_BYTES, decode_content=True)):
        body += piece
    return bytes(body[:MAX_ANSWER_BYTES])


def _cause(error: Exception) -> BaseException:
    """What the operating system or Python said first, below the layers that requests and urllib3 put around it."""
    layers = (requests.RequestException, urllib3.exceptions.HTTPError)
    return next((inner for inner in _chain(error) if not isinstance(inner, layers)), error)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _code(cause: BaseException) -> str:
    if isinstance(cause, TimeoutError):
        return "timed_out"
    return "connection_lost" if isinstance(cause, OSError) else "unreadable_answer"


def _in_words(cause: BaseException) -> str:
    # An error about a header quotes its value, which may be the key.
    if isinstance(cause, ValueError) and not isinstance(cause, ssl.SSLError):
        return type(cause).__name__
    return f"{type(cause).__name__}: {cause}"
