"""The gate: so many requests may wait or stream at once, in a quarter of the threads; the others are for short ones."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

from flask import Response

from app.errors import TooManyAtOnce


class Gate:
    """The places of one process for requests that hold their thread for long."""

    def __init__(self, places: threading.BoundedSemaphore) -> None:
        self._places = places

    def let_in(self, view: Callable[[], Response]) -> Response:
        """What `view` answers; its place is free again when the answer is written.

        Raises:
            TooManyAtOnce: there is no place.
        """
        if not self._places.acquire(blocking=False):
            raise TooManyAtOnce("As many requests wait, or stream, as may at once; try again in a moment.")
        with ExitStack() as place:
            place.callback(self._places.release)
            response = view()
            if not response.is_sequence:
                kept = place.pop_all()  # closing it twice gives the place back once
                response.call_on_close(kept.close)  # of a HEAD nobody asks for the first part
                response.response = _written(response.response, kept)
        return response


def _written(parts: Iterable[Any], place: ExitStack) -> Iterator[Any]:
    with place:
        yield from parts
