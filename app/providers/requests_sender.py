"""Sends with `requests`: a thread and a kept connection for each exchange that is under way."""

import http.client
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import lru_cache
from typing import Any
from weakref import WeakSet

import requests
import urllib3
from requests.adapters import HTTPAdapter

from app.providers.agenda import Agenda
from app.providers.connections import exchange, new_adapter
from app.providers.dialogues import Dialogue, NoAnswer, NotSent, Request, Response, T, Talk

PIECE_BYTES = 65_536

FOREIGN_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,  # a URL or a header that can't be written
)


class RequestsSender:
    """Holds dialogues in threads, each with a kept-alive connection for each host. See `Sender`.

    It goes through the adapters of `requests`, below its sessions: so there are no redirects, cookies, environment
    proxies or second tries to switch off, and it takes half of the time.
    """

    def __init__(
        self,
        at_once: int,
        submit_timeout_seconds: float,
        connect_timeout_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._submit_timeout_seconds = submit_timeout_seconds
        self._connect_timeout_seconds = connect_timeout_seconds
        self._monotonic = monotonic
        self._agenda: Agenda[Talk[Any]] = Agenda(monotonic)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="sender")
        self._of_thread = threading.local()
        self._adapters: WeakSet[HTTPAdapter] = WeakSet()
        self._lock = threading.Lock()

    def start(self, dialogue: Dialogue[T], delay_seconds: float = 0.0) -> Future[T]:
        talk = Talk(dialogue)
        self._agenda.put(talk, delay_seconds)
        self._threads.submit(self._hold_next)
        return talk.future

    def close(self) -> None:
        for talk in self._agenda.close():
            talk.future.cancel()
        self._threads.shutdown(wait=True)
        with self._lock:
            adapters = list(self._adapters)
        for adapter in adapters:
            adapter.close()

    def _hold_next(self) -> None:
        talk = self._agenda.wait()
        if talk is None:
            return
        try:
            request = talk.begin(self._monotonic() + self._submit_timeout_seconds)
            while request is not None:
                request = talk.hear(self._heard(request, talk.deadline_at))
        except Exception as error:  # noqa: BLE001 - whatever broke, nobody waits for ever
            talk.future.set_exception(error)

    def _heard(self, request: Request, deadline_at: float) -> Response | NotSent | NoAnswer:
        """What became of one exchange, which is over at `deadline_at`."""
        exchange.start(self._monotonic, deadline_at, self._connect_timeout_seconds)
        try:
            return self._exchange(request)
        except FOREIGN_ERRORS as error:
            cause = cause_of(error)
            if not exchange.may_have_sent:
                return NotSent(in_words(cause))
            return NoAnswer(_code(cause), in_words(cause))

    def _exchange(self, request: Request) -> Response:
        prepared = _prepared(request)
        with closing(self._adapter().send(prepared, stream=True, timeout=exchange.remaining_seconds())) as answer:
            return Response(answer.status_code, answer.headers, _body(answer.raw, request))

    def _adapter(self) -> HTTPAdapter:
        adapter: HTTPAdapter | None = getattr(self._of_thread, "adapter", None)
        if adapter is None:
            adapter = self._of_thread.adapter = new_adapter()
            with self._lock:
                self._adapters.add(adapter)
        return adapter


def _prepared(request: Request) -> requests.PreparedRequest:
    prepared = _to("GET" if request.body is None else "POST", request.url).copy()
    prepared.prepare_headers(request.headers)
    prepared.prepare_body(request.body, None)
    return prepared


@lru_cache(maxsize=64)
def _to(method: str, url: str) -> requests.PreparedRequest:
    """Parsing the URL is most of the work of preparing a request, and every submit has the same."""
    return requests.Request(method, url).prepare()


def _body(raw: urllib3.HTTPResponse, request: Request) -> bytes:
    """Read to the end, so that the connection can be used again; a body that is cut costs the connection."""
    body, limit = bytearray(), request.max_answer_bytes
    read = raw.read1 if request.listener else raw.read  # the first doesn't wait for a piece to be full
    while len(body) <= limit and (piece := read(PIECE_BYTES, decode_content=True)):
        body += piece
        if request.listener:
            request.listener(piece)
    return bytes(body[:limit])


def cause_of(error: Exception) -> BaseException:
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


def in_words(cause: BaseException) -> str:
    """What went wrong, for whoever runs the installation."""
    # An error about a header quotes its value, which may be the key.
    if isinstance(cause, ValueError) and not isinstance(cause, ssl.SSLError):
        return type(cause).__name__
    return f"{type(cause).__name__}: {cause}"
