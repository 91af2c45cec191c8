"""What passes between us and a provider: a request, its answer or why there is none, and the dialogue they make."""

from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_ANSWER_BYTES = 1_000_000

Listener = Callable[[bytes], None]
"""Is told of each piece of an answer's body as it arrives, in the thread of its sender: it must not wait, nor raise."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be sent: with a body it is a POST, without one a GET. A longer answer is cut to `max_answer_bytes`.

    `listener` hears the answer, whatever its status, while it arrives.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    max_answer_bytes: int = MAX_ANSWER_BYTES
    listener: Listener | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. Header names are looked up in any case."""

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


Dialogue = Generator[Request, Response, T]
"""Yields a request, is sent its response, or has `NotSent` or `NoAnswer` thrown into it; returns what came of it all.

It does no input or output of its own, so any sender can hold it. Nothing of it runs before the sender begins it, which
is when a connection is free.
"""


class Talk(Generic[T]):
    """A dialogue as a sender holds it, one step after the other; `future` has its end."""

    def __init__(self, dialogue: Dialogue[T]) -> None:
        self.future: Future[T] = Future()
        self.deadline_at = 0.0
        self._dialogue = dialogue

    def begin(self, deadline_at: float) -> Request | None:
        """The first request of a dialogue that is to be over by then; None: it was cancelled, or has none."""
        self.deadline_at = deadline_at
        return self._step(lambda: next(self._dialogue)) if self.future.set_running_or_notify_cancel() else None

    def hear(self, heard: Response | NotSent | NoAnswer) -> Request | None:
        """The request that follows on this; None: it is over."""
        if isinstance(heard, Response):
            return self._step(lambda: self._dialogue.send(heard))
        return self._step(lambda: self._dialogue.throw(heard))

    def _step(self, step: Callable[[], Request]) -> Request | None:
        try:
            return step()
        except StopIteration as end:
            self.future.set_result(end.value)
        except Exception as error:  # noqa: BLE001 - it is for who waits, not for a thread that many share
            self.future.set_exception(error)
        return None
