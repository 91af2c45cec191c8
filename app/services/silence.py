"""Silence: a provider that accepts tasks and answers none for far longer than usual is not sent more of them."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from app.db import Connection
from app.runtime import Runtime
from app.services.brakes import SILENCE
from app.states import AttemptState
from app.store import attempts, callbacks, holds, limits

TASKS_IN_A_ROW = 10
NEWEST_CALLBACKS = 200
LEAST_PATIENCE = timedelta(seconds=60)
TIMES_THE_USUAL = 3
UNANSWERED = {AttemptState.WAITING, AttemptState.TIMED_OUT}

logger = logging.getLogger(__name__)


def watch(runtime: Runtime) -> bool:
    """A step of the sweep: hold a provider that has fallen silent, release one that speaks again.

    An answer is whatever the provider sent to a callback URL, and what it said when it was asked for a task.
    """
    for provider in runtime.providers:
        now = runtime.moment().now
        with runtime.database.reading() as connection:
            hold = holds.get(connection, "provider", provider, SILENCE)
            silence = None if hold else _silence(runtime, connection, provider, now)
            is_over = hold is not None and _has_spoken(connection, provider, hold.since)
        if is_over:
            _release(runtime, provider)
        if silence is not None:
            _hold(runtime, provider, silence, now)
    return False


def _silence(runtime: Runtime, connection: Connection, provider: str, now: datetime) -> str | None:
    """What is wrong, in words; None if all is as usual, or too little is known to say otherwise.

    The looks go from the cheapest to the dearest; in good times the first or second says that all is well.
    """
    if provider not in runtime.calling_back:
        return None
    longest = (runtime.moment().callback_due(provider, now) - now) / 2
    if not attempts.is_any_waiting_since(connection, provider, now - min(LEAST_PATIENCE, longest)):
        return None
    newest = callbacks.newest(connection, provider, NEWEST_CALLBACKS)
    patience = _patience(newest, longest)
    spoke_at = max((row.last_received_at for row in newest), default=None)
    if spoke_at is not None and spoke_at > now - patience:
        return None
    limit = limits.get(connection, provider)
    after = None if limit is None else limit.listening_since
    states = attempts.newest_accepted(connection, provider, after, now - patience, TASKS_IN_A_ROW)
    if len(states) < TASKS_IN_A_ROW or not UNANSWERED.issuperset(states):
        return None
    spoken = "none ever was" if spoke_at is None else f"the last answer came {_seconds(now - spoke_at)} ago"
    return f"{TASKS_IN_A_ROW} tasks in a row, accepted more than {_seconds(patience)} ago, are not answered; {spoken}"


def _seconds(length: timedelta) -> str:
    return f"{length.total_seconds():.0f} s"


def _patience(newest: Sequence[Any], longest: timedelta) -> timedelta:
    """Three times what 99 of 100 callbacks took lately, and no less than a minute; without any, the longest.

    The longest, half of the callback time-out, bounds it in any case: it has to speak before tasks are paid for again.
    """
    took = sorted(row.received_at - row.acked_at for row in newest if row.source == "callback" and row.acked_at)
    if len(took) < TASKS_IN_A_ROW:
        return longest
    usual: timedelta = took[int(0.99 * (len(took) - 1))]
    return min(longest, max(LEAST_PATIENCE, TIMES_THE_USUAL * usual))


def _has_spoken(connection: Connection, provider: str, since: datetime) -> bool:
    newest = callbacks.newest(connection, provider, NEWEST_CALLBACKS)
    return any(row.last_received_at >= since for row in newest)


def _hold(runtime: Runtime, provider: str, silence: str, now: datetime) -> None:
    with runtime.database.transaction() as connection:
        limits.lock(connection, provider, now)
        if holds.get(connection, "provider", provider, SILENCE) is not None:
            return  # another worker was faster
        row = {
            "scope": "provider",
            "scope_id": provider,
            "reason": SILENCE,
            "message": silence,
            "since": now,
            "until": None,
            "placed_by": "watchdog",
        }
        holds.place(connection, row)
        # The way to us may be what is broken: that is asked for at once.
        limits.put_echo_off(connection, provider, None)
    logger.warning("provider_silent", extra={"provider": provider, "reason": silence})


def _release(runtime: Runtime, provider: str) -> None:
    with runtime.database.transaction() as connection:
        is_lifted = holds.lift(connection, "provider", provider, SILENCE)
    if is_lifted:
        logger.info("provider_speaks", extra={"provider": provider})
        runtime.doorbell.ring(provider)
