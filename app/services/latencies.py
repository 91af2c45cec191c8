"""Latencies: what the sweep learns from the callbacks that have come, and the time-out that follows from it."""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection
from app.ids import read
from app.latencies import Histogram, Pace
from app.runtime import Runtime
from app.store import jobs, latencies, limits
from app.store.latencies import Learned

logger = logging.getLogger(__name__)

SAMPLE = 250  # callbacks a look: of more, the newest are as good as all
PAUSE_SECONDS = 1.0  # between two looks of all workers, however often they sweep
LONGEST_SECONDS = 60.0  # between two looks that say how fast callbacks come

_NOTHING_SEEN = UUID(int=0)


def learn(runtime: Runtime) -> bool:
    """A step of the sweep: look at the callbacks that came since the last look; there is never more of it.

    Callbacks are read back from the inbox, so taking one costs nothing more. All that came for an attempt count, also
    those that came after its time-out: else what is too slow would never be seen, and each limit make the next one
    shorter.
    """
    for provider in runtime.calling_back:
        now = runtime.moment().now
        _keep(runtime, provider, _look(runtime, provider, now).histogram_at(now))
    return False


def in_words(runtime: Runtime, provider: str) -> str:
    """How long the callbacks of a provider take, and when they time out, as a person reads it."""
    now, settings = runtime.moment().now, runtime.settings
    with runtime.database.reading() as connection:
        learned = latencies.get(connection, provider)
    histogram = learned.histogram_at(now) if learned else Histogram()
    limit = _limit(runtime, provider, histogram)
    usual = "too few callbacks are known"
    if settings.patience.knows(histogram):
        usual = f"99 of 100 callbacks come within {histogram.quantile(0.99)[1]:,.1f} s"
    kind = "as set" if _is_fixed(runtime, provider) else "by default" if limit is None else "as learned"
    seconds = limit or settings.timings[provider].callback_timeout_seconds
    return f"{provider}: {usual}; they time out after {seconds:,.1f} s, {kind}"


def _limit(runtime: Runtime, provider: str, histogram: Histogram) -> float | None:
    """The learned time-out; None: one is set, or too little is known, and the setting holds."""
    return None if _is_fixed(runtime, provider) else runtime.settings.patience.limit(histogram)


def _is_fixed(runtime: Runtime, provider: str) -> bool:
    return runtime.settings.every_provider[provider].callback_timeout_seconds is not None


def _look(runtime: Runtime, provider: str, now: datetime) -> Learned:
    with runtime.database.reading() as connection:
        before = latencies.get(connection, provider)
        if before is not None and before.age_seconds(now) < PAUSE_SECONDS:
            return before
        rows = latencies.newest(connection, before.seen_id if before else _NOTHING_SEEN, SAMPLE)
        mine = [row for row in rows if row.provider == provider]
        seconds = list(_latencies(connection, mine))
        queued = _queued(connection, provider, now)
    if before is not None and not rows and not queued and not before.queued:
        return before  # nothing is going on
    known = before or Learned(Histogram(), _NOTHING_SEEN, now, 0, Pace())
    after = Learned(
        histogram=known.histogram_at(now).with_more(seconds),
        seen_id=rows[0].id if rows else known.seen_id,
        learned_at=now,
        queued=queued,
        pace=_pace(known, now, rows, len(mine)) if queued else known.pace,
    )
    with runtime.database.transaction() as connection:
        latencies.save(connection, provider, after)
    return after


def _latencies(connection: Connection, rows: Sequence[Any]) -> Iterator[float]:
    """The seconds from a submit to its first callback, of those of these callbacks that were the first."""
    came_at = {row.attempt_id: row.received_at for row in rows}  # the newest first, so the first is left
    for submit in latencies.submits(connection, list(came_at)):
        if came_at[submit.id] == submit.first_at:
            yield (submit.first_at - submit.sent_at).total_seconds()


def _queued(connection: Connection, provider: str, now: datetime) -> int:
    """How many jobs the provider could be given now; 0 if nothing goes to it."""
    standing = limits.standing(connection, provider, now)
    next_claim_at = jobs.next_claim(connection, provider)
    is_held = any((scope, scope_id) == ("provider", provider) for scope, scope_id, _ in standing.held)
    if is_held or standing.has_tripped or next_claim_at is None or next_claim_at > now:
        return 0
    held = [read("batch", scope_id) for scope, scope_id, _ in standing.held if scope == "batch"]
    return latencies.queued(connection, provider, now, held)


def _pace(known: Learned, now: datetime, rows: Sequence[Any], answers: int) -> Pace:
    """How fast callbacks come, watched only while jobs were queued at the last look too: else few come because few were
    asked for."""
    age_seconds = known.age_seconds(now)
    if not known.queued or not 0 < age_seconds <= LONGEST_SECONDS:
        return known.pace
    spent_seconds = age_seconds
    if len(rows) == SAMPLE:  # there are more that were not read
        spent_seconds = (rows[0].received_at - rows[-1].received_at).total_seconds() or age_seconds
    return known.pace.with_more(answers * age_seconds / spent_seconds, age_seconds)


def _keep(runtime: Runtime, provider: str, histogram: Histogram) -> None:
    """Let this process know the time-out from now on."""
    limit = _limit(runtime, provider, histogram)
    if limit == runtime.learned.get(provider):
        return
    if limit is None:
        runtime.learned.pop(provider, None)
    else:
        runtime.learned[provider] = limit
    logger.info("callback_timeout_changed", extra={"provider": provider, "seconds": limit})
