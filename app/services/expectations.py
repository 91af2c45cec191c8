"""Expectations: when a callback should have come, and when a batch will have ended, from what was learned."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.db import Connection
from app.runtime import Runtime
from app.services.health import SILENT_AFTER
from app.services.views import Span
from app.states import JobState
from app.store import attempts, latencies, waiting

MARGIN = 1.25  # by which the pace of callbacks may change meanwhile


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected of a provider.

    Half of its callbacks take `half` seconds at least, 99 of 100 take `usual` seconds at most. `per_second`: how many
    come while jobs are queued, None if unknown. `queued`: its jobs in all batches. `is_going`: jobs are submitted.
    """

    half: float
    usual: float
    per_second: float | None
    queued: int
    is_going: bool


Expectations = Mapping[str, Expectation]


def of_providers(runtime: Runtime, connection: Connection) -> Expectations:
    """What is expected of each provider; one of which too little is known is left out."""
    now, settings = runtime.moment().now, runtime.settings
    found = {}
    for provider, (learned, is_going) in latencies.going(connection, now, now - SILENT_AFTER).items():
        histogram = learned.histogram_at(now)
        if provider in runtime.calling_back and settings.patience.knows(histogram):
            found[provider] = Expectation(
                half=histogram.quantile(0.5)[0],
                usual=histogram.quantile(0.99)[1],
                per_second=_slower(learned.pace.per_second, settings.every_provider[provider].rate_per_second),
                queued=learned.queued,
                is_going=is_going and settings.refusal_to_submit(provider) is None,
            )
    return found


def usual(expected: Expectations, provider: str) -> timedelta | None:
    """How long after its submit a callback of this provider is overdue; None if nobody can say."""
    return timedelta(seconds=expected[provider].usual) if provider in expected else None


def overdue(connection: Connection, rows: Sequence[Any], expected: Expectations, now: datetime) -> Mapping[UUID, int]:
    """How many jobs of each of these batches have an overdue callback; batches that have none may be left out."""
    by_provider: dict[str, list[UUID]] = defaultdict(list)
    for row in rows:
        by_provider[row.provider].append(row.id)
    found: dict[UUID, int] = {}
    for provider, batch_ids in by_provider.items():
        patience = usual(expected, provider)
        if patience is not None:
            found |= waiting.overdue(connection, batch_ids, now - patience)
    return found


def expected_by(runtime: Runtime, connection: Connection, rows: Sequence[Any]) -> Mapping[UUID, datetime]:
    """By when the callback of each of these jobs should come, of those that wait for one, by job."""
    waiting_rows = [row for row in rows if row.state == JobState.WAITING]
    if not waiting_rows:
        return {}
    expected = of_providers(runtime, connection)
    sent_at = attempts.sent_at(connection, [row.current_attempt_id for row in waiting_rows])
    return {
        row.id: sent_at[row.current_attempt_id] + timedelta(seconds=expected[row.provider].usual)
        for row in waiting_rows
        if row.current_attempt_id in sent_at and row.provider in expected
    }


def end(
    expectation: Expectation | None, figures: Mapping[str, int], expires_at: datetime, now: datetime
) -> Span | None:
    """Between when and when a batch with these jobs open ends, if nothing holds it and no callback is lost.

    At the earliest its own queued jobs are all that is asked for; at the latest all that are queued go before, or its
    time runs out.
    """
    if expectation is None or not expectation.is_going:
        return None
    queued, pace = figures[JobState.QUEUED], expectation.per_second
    if queued and pace is None:
        return None
    first = queued / pace / MARGIN + expectation.half if pace and queued else 0.0
    last = max(queued, expectation.queued) / pace * MARGIN if pace and queued else 0.0
    left = max(0.0, (expires_at - now).total_seconds())
    return Span(*(now + timedelta(seconds=min(seconds, left)) for seconds in (first, last + expectation.usual)))


def _slower(pace: float | None, rate: float | None) -> float | None:
    return pace if pace is None or rate is None else min(pace, rate)
