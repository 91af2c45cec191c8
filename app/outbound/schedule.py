"""When a webhook is tried again, and when its endpoint is given up. Pure."""

from datetime import datetime, timedelta
from random import Random
from uuid import UUID

PAUSES: tuple[timedelta, ...] = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""How long after a failed try the next one is due; together 75 hours and a half (Standard Webhooks 1.0)."""

GIVE_UP_AFTER = timedelta(days=5)
"""An endpoint that has failed for so long, with nothing delivered between, is disabled."""

SLOW_DOWN = timedelta(minutes=1)
LONGEST_WAIT = timedelta(days=1)
_OVERLOADED = frozenset({429, 502, 504})
_JITTER = 0.1


def next_try_at(now: datetime, step: int, seed: UUID) -> datetime | None:
    """When to try again after the failed try number `step`, from 1; None: that was the last.

    Up to a tenth of the pause is added, drawn from `seed`, so that what failed together does not come back together.
    """
    if step > len(PAUSES):
        return None
    spread = Random(seed.int + step).random()  # noqa: S311 - spreading load, not keeping secrets
    return now + PAUSES[step - 1] * (1 + _JITTER * spread)


def not_before(now: datetime, status: int | None, retry_after_seconds: float | None) -> datetime | None:
    """Until when nothing at all is to be sent there; None: the receiver did not ask for that."""
    if retry_after_seconds is not None:
        return now + min(timedelta(seconds=retry_after_seconds), LONGEST_WAIT)
    return now + SLOW_DOWN if status in _OVERLOADED else None
