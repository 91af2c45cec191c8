"""The ASGI application: callbacks, and the echoes that stand for them, hold no thread; all else is Flask's."""

import asyncio
from collections.abc import Sequence

from flask import Flask, Response

from app.api import errors, render
from app.api.body import ENVELOPE_BYTES
from app.api.bridge import Bridge, Disconnected, Message, NotTaken, Receive, Scope, Send, pieces
from app.api.callbacks import proven
from app.api.schemas.health import OkOut
from app.errors import HivebatchError, NotFound
from app.runtime import Runtime
from app.services import callbacks, echoes
from app.tokens import CallbackSubject

CALLBACKS = "/callbacks/hive/"
ECHOES = "/callbacks/echo/"


class Front:
    """In front of Flask for the one path that is hot, with the same service behind it as the route has.

    A token that is not good is left to Flask, before a byte of the body is read. An echo goes the same way, so that
    it comes back whenever callbacks get through, however busy Flask's threads are.
    """

    def __init__(self, app: Flask) -> None:
        self._runtime: Runtime = app.extensions["hivebatch"]
        settings = self._runtime.settings
        # One byte more than is allowed, so that Flask sees that it is too long; a file comes in an envelope.
        most = 1 + max(settings.max_body_bytes + ENVELOPE_BYTES, settings.max_callback_bytes)
        self._bridge = Bridge(app, settings.web_threads, most)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        proof, subject = self._proof(scope), self._subject(scope)
        if proof is not None:
            await _answer(send, _messages(proven(proof)))
        elif subject is not None:
            await self._receive(subject, receive, send)
        else:
            await self._pass_on(scope, receive, send)

    async def _receive(self, subject: CallbackSubject, receive: Receive, send: Send) -> None:
        try:
            body = b"".join([piece async for piece in pieces(receive, self._runtime.settings.max_callback_bytes + 1)])
        except Disconnected:
            return  # half a body is none
        await _answer(send, await self._take(subject, body))

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._bridge(scope, receive, send)
        except NotTaken as error:
            await _answer(send, _messages(errors.of_a_fault(error.__cause__ or error)))

    def _proof(self, scope: Scope) -> str | None:
        token = _token(scope, "GET", ECHOES)
        return None if token is None else echoes.prove(self._runtime, token)

    def _subject(self, scope: Scope) -> CallbackSubject | None:
        token = _token(scope, "POST", CALLBACKS)
        return None if token is None else self._runtime.signer.verify(token)

    async def _take(self, subject: CallbackSubject, body: bytes) -> Sequence[Message]:
        try:
            kept = await asyncio.wrap_future(callbacks.take(self._runtime, subject, body))
            callbacks.settle(self._runtime, body, kept)
        except NotFound:
            return _messages(errors.no_such_page())
        except HivebatchError as error:
            return _messages(errors.of_ours(error))
        return _KEPT


def _token(scope: Scope, method: str, prefix: str) -> str | None:
    path: str = scope["path"]
    return path.removeprefix(prefix) if scope["method"] == method and path.startswith(prefix) else None


async def _answer(send: Send, messages: Sequence[Message]) -> None:
    for message in messages:
        await send(message)


def _messages(response: Response) -> Sequence[Message]:
    headers = [(name.lower().encode(), value.encode()) for name, value in response.headers]
    return (
        {"type": "http.response.start", "status": response.status_code, "headers": headers},
        {"type": "http.response.body", "body": response.get_data()},
    )


_KEPT = _messages(render.answer(OkOut()))
