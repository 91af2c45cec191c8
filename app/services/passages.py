"""Passages: an answer handed on while its provider writes it, and written down like every other when it is whole."""

import threading
from collections.abc import Generator, Iterator
from concurrent.futures import wait
from dataclasses import replace
from queue import SimpleQueue
from typing import Any
from uuid import UUID

from app.clock import now
from app.errors import InvalidInput
from app.providers.events import Arriving, chunks
from app.runtime import Runtime
from app.services import claims, clocks
from app.services.outcomes import record_patiently
from app.services.submission import result, send

Chunk = dict[str, Any]
"""A chat.completion.chunk."""


def passage(runtime: Runtime, provider: str, job_id: UUID) -> Generator[Chunk]:
    """Claim this job, submit it from here, and give what is heard of its answer; nothing, if it can't be claimed now.

    It is under the limits and holds of every submit. Whoever takes the first chunk takes all of them, or closes it:
    that waits for the end of the answer, which is paid for, and writes down what became of it. A process that dies
    before leaves a lease to run out, as a worker does.

    Raises:
        DatabaseUnavailable: nothing was claimed.
    """
    clocks.check(runtime)
    found = claims.claim(runtime, provider, 1, is_idle=False, job_id=job_id)
    if not found:
        return
    heard = _Heard()
    claimed = replace(found[0], submission=replace(found[0].submission, listener=heard.add))
    delay_seconds = (claimed.send_at - now()).total_seconds()
    future = runtime.sending[provider].start(send(runtime, claimed, threading.Event()), delay_seconds)
    future.add_done_callback(lambda _: heard.end())
    try:
        yield from heard
    finally:
        wait([future])
        record_patiently(runtime, [result(future, claimed)])


class _Heard:
    """The chunks of an answer, from the thread that hears it to the one that hands it on.

    What is no chunk is left out: the answer as a whole is judged when it is there.
    """

    def __init__(self) -> None:
        self._arriving = Arriving()
        self._chunks: SimpleQueue[Chunk | None] = SimpleQueue()

    def add(self, piece: bytes) -> None:
        try:
            for chunk in chunks(self._arriving.add(piece)):
                if chunk is not None and isinstance(chunk.get("choices"), list):
                    self._chunks.put(dict(chunk))
        except InvalidInput:
            return

    def end(self) -> None:
        self._chunks.put(None)

    def __iter__(self) -> Iterator[Chunk]:
        return iter(self._chunks.get, None)
