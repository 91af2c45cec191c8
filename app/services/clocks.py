"""Clocks: whoever's clock is not the database's must not decide what is due."""

import logging

from app.clock import now
from app.runtime import Runtime

MOST_OFF_SECONDS = 2.0

logger = logging.getLogger(__name__)


def check(runtime: Runtime) -> float | None:
    """Measure, and set `clock_is_off` if it is off by more than `MOST_OFF_SECONDS`.

    This process then claims and sweeps nothing: it would give up on callbacks that are not overdue, and pay for their
    jobs again.

    Raises:
        DatabaseUnavailable: nothing was measured.
    """
    off_seconds = measure(runtime)
    if off_seconds is not None:
        _note(runtime, off_seconds)
    return off_seconds


def measure(runtime: Runtime) -> float | None:
    """By how many seconds, at least, this machine's clock is ahead of the database's; None: they are the same clock.

    Raises:
        DatabaseUnavailable: nothing was measured.
    """
    with runtime.database.reading() as connection:
        before = now()
        theirs = runtime.database_clock(connection)
        after = now()
    if theirs is None:
        return None
    # Theirs was read somewhere between the two, so a slow answer is not taken for a wrong clock.
    most_behind, most_ahead = (before - theirs).total_seconds(), (after - theirs).total_seconds()
    return max(most_behind, 0.0) + min(most_ahead, 0.0)


def is_off(off_seconds: float | None) -> bool:
    """Whether a clock that is ahead by this much is too far off."""
    return off_seconds is not None and abs(off_seconds) > MOST_OFF_SECONDS


def _note(runtime: Runtime, off_seconds: float) -> None:
    was_off = runtime.clock_is_off.is_set()
    if is_off(off_seconds) and not was_off:
        runtime.clock_is_off.set()
        logger.warning("clock_off", extra={"ahead_seconds": round(off_seconds, 3)})
    if not is_off(off_seconds) and was_off:
        runtime.clock_is_off.clear()
        logger.warning("clock_right_again", extra={"ahead_seconds": round(off_seconds, 3)})
