"""The ASGI application: callbacks, and the echoes that stand for them, hold no thread; all else is Flask's."""

import asyncio
from collections.abc import Sequence

from flask import Flask

from app.api import asgi, errors, render
from app.api.asgi import Disconnected, Message, Receive, Scope, Send, messages
from app.api.body import ENVELOPE_BYTES
from app.api.bridge import Bridge
from app.api.callbacks import proven
from app.api.schemas.health import OkOut
from app.errors import HivebatchError, NotFound
from app.runtime import Runtime
from app.services import callbacks, echoes
from app.tokens import CallbackSubject

CALLBACK = ("POST", "/callbacks/hive/")
ECHO = ("GET", "/callbacks/echo/")
_KEPT = messages(render.answer(OkOut()))


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
        token, question = (asgi.end_of_path(scope, *each) for each in (CALLBACK, ECHO))
        if token is not None and (subject := self._runtime.signer.verify(token)) is not None:
            await self._receive(subject, receive, send)
        elif question is not None and (proof := echoes.prove(self._runtime, question)) is not None:
            await asgi.answer(send, messages(proven(proof)))
        else:
            await self._bridge(scope, receive, send)

    async def _receive(self, subject: CallbackSubject, receive: Receive, send: Send) -> None:
        most = self._runtime.settings.max_callback_bytes + 1
        try:
            body = b"".join([piece async for piece in asgi.pieces(receive, most)])
        except Disconnected:
            return  # half a body is none
        await asgi.answer(send, await self._take(subject, body))

    async def _take(self, subject: CallbackSubject, body: bytes) -> Sequence[Message]:
        try:
            kept = await asyncio.wrap_future(callbacks.take(self._runtime, subject, body))
            callbacks.settle(self._runtime, body, kept)
        except NotFound:
            return messages(errors.no_such_page())
        except HivebatchError as error:
            return messages(errors.of_ours(error))
        return _KEPT
