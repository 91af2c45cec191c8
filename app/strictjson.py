"""Reading JSON without surprises: what the database can't store or a number can't hold is refused, with a pointer."""

import json
import math
from collections.abc import Iterator

from pydantic_core import from_json

from app.errors import InvalidInput, Problem

_LARGE_BYTES = 1_000_000  # beyond it the walk, which is slower, takes less memory than the encoder


def loads(body: bytes | str) -> object:
    """The value of one JSON document (RFC 8259, UTF-8).

    Raises:
        InvalidInput: not JSON, nested too deep, a lone surrogate, a number too long to read, or, anywhere inside,
            U+0000 or a number that isn't finite (`1e999`): the parser itself lets the last two through.
    """
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    try:
        value: object = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidInput([Problem(f"Not valid JSON: {error}")]) from error
    if b"\\u0000" in raw or len(raw) > _LARGE_BYTES or not _is_finite(value):
        for problem in _unstorable(value, ""):
            raise InvalidInput([problem])
    return value


def _is_finite(value: object) -> bool:
    """Whether all numbers are; the encoder looks at each of them, much faster than a walk of our own."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _unstorable(value: object, pointer: str) -> Iterator[Problem]:
    if isinstance(value, str):
        if "\x00" in value:
            yield Problem("Text must not contain U+0000.", pointer)
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield Problem("Numbers must be finite.", pointer)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unstorable(item, f"{pointer}/{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _unstorable(key, pointer)
            yield from _unstorable(item, f"{pointer}/{escape(key)}")


def escape(part: str) -> str:
    """One part of a JSON pointer (RFC 6901)."""
    return part.replace("~", "~0").replace("/", "~1")
