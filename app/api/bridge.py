"""Flask under ASGI: a slow client costs a file, and never a thread."""

import asyncio
import tempfile
import threading
from collections.abc import Callable, Iterable
from typing import IO, Any

from a2wsgi import WSGIMiddleware
from flask import Flask

from app.api import asgi, errors
from app.api.asgi import Disconnected, Message, Receive, Scope, Send, messages, pieces

DISCONNECTED = "hivebatch.disconnected"
"""Where a scope has the event that is set when the client has gone."""

IN_MEMORY_BYTES = 256 * 1024
PIECE_BYTES = 64 * 1024


class Bridge:
    """Takes a thread when a body has arrived, and gives it back when the answer is written, not when it is read."""

    def __init__(self, app: Flask, threads: int, max_body_bytes: int) -> None:
        self._flask = WSGIMiddleware(_ending_where_it_ends(app), workers=threads)
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with _file() as body, _file() as answer:
            try:
                async for piece in pieces(receive, self._max_body_bytes):
                    body.write(piece)
            except Disconnected:
                return
            except OSError as error:
                await asgi.answer(send, messages(errors.of_a_fault(error)))
                return
            body.seek(0)
            outlet = _Outlet(answer, send)
            draining = asyncio.create_task(outlet.drain())
            scope[DISCONNECTED] = threading.Event()
            watching = asyncio.create_task(_watch(receive, scope[DISCONNECTED]))
            try:
                await self._flask(scope, _again(body), outlet.write)  # type: ignore[arg-type]  # it has types of its own
            except BaseException:
                draining.cancel()
                raise
            finally:
                watching.cancel()
            await draining


class _Outlet:
    """What Flask answers, on its way to a client that takes it as fast as it can; what it hasn't taken is in `file`."""

    def __init__(self, file: IO[bytes], send: Send) -> None:
        self._file = file
        self._send = send
        self._written = 0
        self._is_whole = False
        self._has_news = asyncio.Event()

    async def write(self, message: Message) -> None:
        """Take the next part; never waits for the client."""
        if message["type"] == "http.response.start":
            await self._send(message)
            return
        self._file.seek(self._written)
        self._written += self._file.write(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        self._has_news.set()

    async def drain(self) -> None:
        """Send it all. A client that takes nothing for too long gets no more: the server closes its connection."""
        sent, is_over = 0, False
        while not is_over:
            await self._has_news.wait()
            self._has_news.clear()
            while sent < self._written or (self._is_whole and not is_over):
                self._file.seek(sent)
                piece = self._file.read(PIECE_BYTES)
                sent += len(piece)
                is_over = self._is_whole and sent == self._written
                try:
                    async with asyncio.timeout(asgi.PATIENCE_SECONDS):
                        await self._send({"type": "http.response.body", "body": piece, "more_body": not is_over})
                except TimeoutError:
                    return


async def _watch(receive: Receive, disconnected: threading.Event) -> None:
    """Note when the client goes; one whose body was too long may still be sending it, and is not listened to."""
    message = await receive()
    if message["type"] == "http.disconnect":
        disconnected.set()


def _again(body: IO[bytes]) -> Receive:
    """The body once more, for those who read it from the server."""

    async def receive() -> Message:
        piece = body.read(PIECE_BYTES)
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    return receive


def _ending_where_it_ends(app: Flask) -> Callable[..., Iterable[bytes]]:
    """A body sent in chunks has no length; Flask has to be told that it may read to the end."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return app(environ | {"wsgi.input_terminated": True}, start_response)

    return application


def _file() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)
