"""ASGI in the words of this package: what a message is, the pieces of a body, an answer of Flask's as messages."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from flask import Response

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PATIENCE_SECONDS = 120.0


class Disconnected(Exception):
    """The client has gone, or was silent for too long, before its request was whole."""


def end_of_path(scope: Scope, method: str, prefix: str) -> str | None:
    """What follows the prefix in a request's path; None if this isn't such a request."""
    path: str = scope["path"]
    return path.removeprefix(prefix) if scope["method"] == method and path.startswith(prefix) else None


async def pieces(receive: Receive, most: int) -> AsyncIterator[bytes]:
    """The first `most` bytes of a request's body.

    Raises:
        Disconnected: there is no more to come, and it isn't whole.
    """
    left, has_more = most, True
    while left and has_more:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                message = await receive()
        except TimeoutError:
            raise Disconnected from None
        if message["type"] == "http.disconnect":
            raise Disconnected
        piece: bytes = message.get("body", b"")[:left]
        left -= len(piece)
        has_more = message.get("more_body", False)
        yield piece


def messages(response: Response) -> Sequence[Message]:
    """A whole answer."""
    headers = [(name.lower().encode(), value.encode()) for name, value in response.headers]
    return (
        {"type": "http.response.start", "status": response.status_code, "headers": headers},
        {"type": "http.response.body", "body": response.get_data()},
    )


async def answer(send: Send, whole: Sequence[Message]) -> None:
    """Send what `messages` made."""
    for message in whole:
        await send(message)
