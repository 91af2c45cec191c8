"""Sends a webhook: one POST to where the guard lets it go, within 15 seconds, and the head of what is answered."""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import responses
from typing import Protocol

import requests

from app.outbound.addresses import Guard
from app.outbound.connections import MAX_ANSWER_BYTES, new_adapter
from app.providers.connections import exchange
from app.providers.requests_sender import FOREIGN_ERRORS, PIECE_BYTES, cause_of, in_words

CONNECT_TIMEOUT_SECONDS = 5.0
TIMEOUT_SECONDS = 15.0
_HEAD_CHARS = 4000


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be sent."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of it: `status` None if no answer came, for the reason that `error` tells.

    `request_head` and `response_head` are what went over the wire, without bodies.
    """

    status: int | None
    error: str | None
    request_head: str
    response_head: str | None = None
    retry_after: str | None = None


class WebhookSender(Protocol):
    """Sends webhooks."""

    def send(self, message: Message) -> Reply:
        """Send one, and tell what became of it; never raises for anything that the receiver does."""


class GuardedSender:
    """Sends each on a connection of its own, as certificates, names and addresses may change between two.

    `trusted` is a file of certificates; None: those that everybody trusts.
    """

    def __init__(self, guard: Guard, timeout_seconds: float = TIMEOUT_SECONDS, trusted: str | None = None) -> None:
        self._guard = guard
        self._timeout_seconds = timeout_seconds
        self._verify = trusted or True

    def send(self, message: Message) -> Reply:
        # Looked at again, as what was stored may be from before a setting was changed.
        if refusal := self._guard.refusal_of(message.url):
            return Reply(None, refusal, "")
        exchange.start(time.monotonic, time.monotonic() + self._timeout_seconds, CONNECT_TIMEOUT_SECONDS)
        request_head = ""
        try:
            prepared = requests.Request("POST", message.url, dict(message.headers), data=message.body).prepare()
            request_head = _head(f"POST {prepared.path_url} HTTP/1.1", prepared.headers)
            with closing(new_adapter(self._guard)) as adapter:
                timeout = exchange.remaining_seconds()
                answer = adapter.send(prepared, stream=True, timeout=timeout, verify=self._verify)
                return _reply(answer, request_head)
        except FOREIGN_ERRORS as error:
            return Reply(None, in_words(cause_of(error)), request_head)


def _reply(response: requests.Response, request_head: str) -> Reply:
    with closing(response):
        _read_past(response)
        first = f"HTTP/1.1 {response.status_code} {responses.get(response.status_code, '')}".rstrip()
        return Reply(
            status=response.status_code,
            error=None,
            request_head=request_head,
            response_head=_head(first, response.headers),
            retry_after=response.headers.get("Retry-After"),
        )


def _read_past(response: requests.Response) -> None:
    """The body says nothing that counts, but to hang up on who is still writing would look like a fault of ours."""
    left = MAX_ANSWER_BYTES
    try:
        while left > 0 and (piece := response.raw.read(min(left, PIECE_BYTES), decode_content=False)):
            left -= len(piece)
    except FOREIGN_ERRORS:
        return  # its status is known


def _head(first: str, headers: Mapping[str, str]) -> str:
    lines = [first, *(f"{name}: {value}" for name, value in headers.items())]
    printable = ("".join(char if char.isprintable() else " " for char in line) for line in lines)
    return "\n".join(printable)[:_HEAD_CHARS]
