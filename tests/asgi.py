"""One request to an ASGI application, without a server: what arrives, and when, is the test's to say."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from app.api.asgi import Application, Message

GONE: Message = {"type": "http.disconnect"}


@dataclass
class Answer:
    """What came back. `status` None: nothing did; `is_whole`: the application said that it was all."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_whole: bool = False


def arriving(*bodies: bytes) -> list[Message]:
    """A request's body, in these pieces."""
    last = len(bodies) - 1
    return [{"type": "http.request", "body": body, "more_body": n < last} for n, body in enumerate(bodies)]


def call(
    application: Application,
    target: str,
    messages: Sequence[Message],
    *,
    headers: Sequence[tuple[str, str]] = (),
    read: Callable[[bytes], Awaitable[None]] | None = None,
) -> Answer:
    """Send `messages` to a target like `POST /path?query`, then stay connected; `read` takes the answer's pieces."""
    return asyncio.run(_call(application, target, messages, headers, read))


async def _call(
    application: Application,
    target: str,
    messages: Sequence[Message],
    headers: Sequence[tuple[str, str]],
    read: Callable[[bytes], Awaitable[None]] | None,
) -> Answer:
    answer = Answer()
    arrived = _arrived(messages)

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        if read is not None:
            await read(message.get("body", b""))
        answer.body += message.get("body", b"")
        answer.is_whole = not message.get("more_body", False)

    method, _, path = target.partition(" ")
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
    }
    await application(scope, lambda: anext(arrived), send)
    return answer


async def _arrived(messages: Sequence[Message]) -> AsyncIterator[Message]:
    for message in messages:
        yield message
    await asyncio.Event().wait()
