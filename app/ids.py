"""Ids: UUIDv7 made by the application, shown to people with a prefix that says what they name."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from uuid_utils.compat import uuid7

from app.errors import NotFound

Kind = Literal["batch", "job", "attempt", "callback", "file", "webhook", "evt", "delivery", "key", "audit"]

_VERSION = 7
_HYPHENATED: frozenset[Kind] = frozenset({"file"})  # as OpenAI writes it


def new_id() -> UUID:
    """A time-ordered id (RFC 9562, version 7)."""
    return uuid7()


def lowest(at: datetime) -> UUID:
    """The lowest id that can have been made at this instant, so a bound for what was made since, by the same clock."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


def show(kind: Kind, value: UUID) -> str:
    """`show("job", id)` is `job_` and 32 hexadecimal digits."""
    return f"{kind}{separator(kind)}{value.hex}"


def separator(kind: Kind) -> str:
    """What stands between the prefix and the digits."""
    return "-" if kind in _HYPHENATED else "_"


def read(kind: Kind, text: str) -> UUID:
    """The id behind its shown form.

    Raises:
        NotFound: `text` can't be the id of such a thing, so none exists.
    """
    prefix, _, digits = text.rpartition(separator(kind))
    if prefix != kind or len(digits) != 32:
        raise NotFound(kind, text)
    try:
        return UUID(hex=digits)
    except ValueError as error:
        raise NotFound(kind, text) from error


def read_placed(kind: Kind, text: str) -> UUID:
    """As `read`, of an id that tells when it was made, as ours do: it has a place among others even when it is gone."""
    found = read(kind, text)
    if found.version != _VERSION:
        raise NotFound(kind, text)
    return found
