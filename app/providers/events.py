"""Server-sent events (`text/event-stream`: the HTML standard, section 9.2), whole or as they arrive."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from app import strictjson

_DONE = "[DONE]"
_END_OF_EVENT = re.compile(rb"\r\n\r\n|\n\n|\r\r")


def chunks(body: bytes) -> Iterator[Mapping[str, Any] | None]:
    """The events that hold an object; None for the one that says that it is done.

    Raises:
        InvalidInput: one of them is no JSON.
    """
    text = body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    for event in text.split("\n\n"):
        lines = [line[5:].removeprefix(" ") for line in event.split("\n") if line.startswith("data:")]
        data = "\n".join(lines)
        if data.strip() == _DONE:
            yield None
        elif data:
            value = strictjson.loads(data)
            yield value if isinstance(value, dict) else {}


class Arriving:
    """A stream in pieces that end anywhere: gives them back in pieces that end where an event does."""

    def __init__(self) -> None:
        self._begun = bytearray()

    def add(self, piece: bytes) -> bytes:
        """The events that are whole by this piece; what is begun is kept for the next."""
        searched = max(0, len(self._begun) - 3)  # an end may have begun in the last piece
        self._begun += piece
        end = max((found.end() for found in _END_OF_EVENT.finditer(self._begun, searched)), default=0)
        whole = bytes(self._begun[:end])
        del self._begun[:end]
        return whole
