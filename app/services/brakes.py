"""Brakes: what a claim may take while some are on, and what ends each hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.config import Settings

ECHO_FAILED = "echo_failed"
SILENCE = "silence"
FRESH = timedelta(seconds=60)

_ENDS = {
    ECHO_FAILED: "the echo comes back; it is asked for at least once a minute",
    SILENCE: "an answer comes; one job at a time is let through to find out",
    "paused": "somebody resumes it",
    "budget": "the batch gets a higher budget",
    "key_refused": "an operator lifts the hold, or a worker starts with another key",
    "misconfigured": "an operator lifts the hold, or a worker starts with another URL of the provider",
    "settings": "the service runs with other settings",
    "breaker": "its time is over; then one submit tries",
}


@dataclass(frozen=True, slots=True)
class Brake:
    """What may be claimed: up to so many tasks in flight, from batches created up to `created_by` (None: from all).

    `needs_echo`: all that keeps the rest back is that no echo has come back lately enough.
    """

    most_in_flight: int
    created_by: datetime | None = None
    needs_echo: bool = False


def ends(reason: str, until: datetime | None) -> str:
    """What ends a hold, in words that follow on "until"."""
    return _ENDS.get(reason, "somebody lifts the hold" if until is None else "its time is over")


def brake(settings: Settings, provider: str, limit: Any, held: Sequence[tuple[str, str, str]], now: datetime) -> Brake:
    """What the holds on a provider and its last echo leave. Pure.

    `limit` is the provider's row of `limits`; `held` has scope, id and reason of each hold that stands. A provider
    that is silent may have one task, so that its answer can end that.
    """
    reasons = {reason for scope, scope_id, reason in held if (scope, scope_id) == ("provider", provider)}
    if reasons - {SILENCE}:
        return Brake(0)
    most = 1 if reasons else settings.every_provider[provider].max_in_flight
    if not settings.asks_for_echo(provider) or is_fresh(settings, limit, now):
        return Brake(most)
    if not _has_echo(settings, limit):
        return Brake(0, needs_echo=True)
    return Brake(most, created_by=limit.echoed_at + FRESH, needs_echo=True)


def needs_echo(settings: Settings, provider: str, limit: Any, created_at: datetime, now: datetime) -> bool:
    """Whether one has to come back before anything is submitted from a batch of that age; `limit` may be None."""
    if not settings.asks_for_echo(provider) or is_fresh(settings, limit, now):
        return False
    return not _has_echo(settings, limit) or created_at > limit.echoed_at + FRESH


def is_fresh(settings: Settings, limit: Any, now: datetime) -> bool:
    """Whether the last echo came back from where this process says that the service is, and is a minute old at most.

    Then it stands for what another would say.
    """
    return _has_echo(settings, limit) and abs(now - limit.echoed_at) <= FRESH


def _has_echo(settings: Settings, limit: Any) -> bool:
    return limit is not None and limit.echoed_at is not None and limit.echoed_url == settings.public_url
