"""What a list of jobs is asked for, as it stands in an address: an address can be kept and shared."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from werkzeug.datastructures import MultiDict

from app import clock, ids
from app.errors import InvalidInput, Problem
from app.services.joblists import JobFilter, Span
from app.services.status import OVERDUE
from app.states import JobState

PRESETS: Mapping[str, str] = {"1h": "last hour", "today": "today", "24h": "last 24 h", "7d": "last 7 days"}
_LENGTHS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
_NAMES = ("state", "batch", "id", "error", "attempts")
_SPANS = ("created", "finished")
_ENDS = ("", "_from", "_until")
NAMES = (*_NAMES, *(f"{span}{end}" for span in _SPANS for end in _ENDS))
"""The fields of a filter; `created` and `finished` hold the name of a preset, the others of a span two instants."""

_MAX_CHARS = 512
_MAX_ATTEMPTS = 1_000_000


def read(args: MultiDict[str, str]) -> JobFilter:
    """The filter in an address.

    Raises:
        InvalidInput: something in it can't be what it stands for.
    """
    return JobFilter(
        states=_states(args.getlist("state")),
        batch_id=_batch(_word(args, "batch")),
        name=_word(args, "id"),
        error_code=_word(args, "error"),
        min_attempts=_number(_word(args, "attempts")),
        created=_span(args, "created"),
        finished=_span(args, "finished"),
    )


def kept(args: MultiDict[str, str]) -> dict[str, Any]:
    """What of an address makes the filter, without what is empty: for links that keep it, and forms."""
    words = {name: word for name in NAMES if name != "state" and (word := _word(args, name)) is not None}
    states = list(dict.fromkeys(args.getlist("state")))
    return {**({"state": states} if states else {}), **words}


def _word(args: MultiDict[str, str], name: str) -> str | None:
    return args.get(name, "").replace("\x00", "").strip()[:_MAX_CHARS] or None


def _states(words: Sequence[str]) -> tuple[str, ...]:
    unknown = [word for word in words if word not in [*JobState, OVERDUE]]
    if unknown:
        raise _wrong(f"No job is ever in state '{unknown[0][:80]}'.", "state", unknown[0])
    return tuple(dict.fromkeys(words))


def _batch(word: str | None) -> UUID | None:
    return None if word is None else ids.read("batch", word)


def _number(word: str | None) -> int:
    if word is None:
        return 0
    if not (word.isascii() and word.isdigit() and int(word[:9]) <= _MAX_ATTEMPTS):
        raise _wrong(f"'{word[:80]}' is no number of attempts.", "attempts", word)
    return int(word[:9])


def _span(args: MultiDict[str, str], name: str) -> Span:
    preset = _word(args, name)
    if preset is None:
        return _instant(_word(args, f"{name}_from"), name), _instant(_word(args, f"{name}_until"), name)
    if preset not in PRESETS:
        raise _wrong(f"Unknown span '{preset[:80]}'; known: {', '.join(PRESETS)}.", name, preset)
    now = clock.now()
    if preset == "today":
        return now.replace(hour=0, minute=0, second=0, microsecond=0), None
    return now - _LENGTHS[preset], None


def _instant(word: str | None, name: str) -> datetime | None:
    """An ISO 8601 instant; one without an offset is in UTC, as the fields of the page are."""
    if word is None:
        return None
    try:
        at = datetime.fromisoformat(word)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _wrong(f"'{word[:80]}' is no instant; one is 2026-03-01T12:00Z.", name, word) from error


def _wrong(message: str, name: str, value: str) -> InvalidInput:
    return InvalidInput([Problem(message, f"/{name}", value=value[:200])])
