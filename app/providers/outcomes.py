"""What an HTTP answer that isn't a success means: for the job, for the provider, and for how long."""

import math
from collections.abc import Container, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from app import clock
from app.providers.base import Held, Rejected, Unknown, shorten

KEY_STATUSES = frozenset({401, 402, 403})
"""The key or its account is at fault, not the job."""

UNKNOWN_STATUSES = frozenset({408, 425})
"""With 5xx: the request may have been carried out."""

MAX_RETRY_AFTER_SECONDS = 3600.0


def not_accepted(
    status: int, message: str, headers: Mapping[str, str], key_statuses: Container[int] = KEY_STATUSES
) -> Unknown | Rejected | Held:
    """The outcome of a submit that was answered with `status`, which isn't 2xx."""
    if status in key_statuses:
        return Held("key_refused", message, needs_operator=True, http_status=status)
    if 300 <= status < 400:
        told = shorten(f"Redirects are not followed, is the base URL right? {message}")
        return Held("misconfigured", told, needs_operator=True, http_status=status)
    if status == 429:
        seconds = retry_after_seconds(headers.get("Retry-After"))
        return Held("rate_limited", message, retry_after_seconds=seconds, http_status=status)
    if 400 <= status < 500 and status not in UNKNOWN_STATUSES:
        return Rejected(f"http_{status}", message, status)
    return Unknown(f"http_{status}", message, status)


def retry_after_seconds(value: str | None, at_most: float = MAX_RETRY_AFTER_SECONDS) -> float | None:
    """How long `Retry-After` asks to wait, 0 to `at_most` seconds; None if it says nothing.

    It holds seconds or a date (RFC 9110, section 10.2.3).
    """
    if value is None:
        return None
    seconds = _seconds(value)
    if seconds is None or math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), at_most)


def one_line(text: str, limit: int = 500) -> str:
    """Text from outside as an error column holds it: printable, on one line, not too long."""
    printable = "".join(char if char.isprintable() else " " for char in text[: 4 * limit])
    return shorten(" ".join(printable.split()), limit)


def _seconds(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return (aware - clock.now()).total_seconds()
