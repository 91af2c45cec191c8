"""Latencies: one row a provider, learned from the inbox; nobody who takes a callback writes it or waits for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, and_, exists, func, select

from app.latencies import Histogram, Pace
from app.models import attempts, batch_figures, batches, callbacks, holds, latencies, worker_beats
from app.states import Outcome
from app.store import breakers, dialects
from app.store.holds import stand

_FROM_ITS_ATTEMPT = (callbacks.c.source == "callback", callbacks.c.outcome.in_((Outcome.APPLIED, Outcome.LATE)))


@dataclass(frozen=True, slots=True)
class Learned:
    """What is known of a provider's callbacks: `seen_id` is the last that was looked at, `queued` the jobs that it
    could have been given then."""

    histogram: Histogram
    seen_id: UUID
    learned_at: datetime
    queued: int
    pace: Pace

    def age_seconds(self, now: datetime) -> float:
        """How long ago that was."""
        return max(0.0, (now - self.learned_at).total_seconds())

    def histogram_at(self, now: datetime) -> Histogram:
        """The histogram as it is by now."""
        return self.histogram.faded(self.age_seconds(now))


def get(connection: Connection, provider: str) -> Learned | None:
    """What was learned of a provider; None before the first look."""
    row = connection.execute(select(latencies).where(latencies.c.provider == provider)).one_or_none()
    return None if row is None else _learned(row)


def going(connection: Connection, now: datetime, alive_since: datetime) -> Mapping[str, tuple[Learned, bool]]:
    """What was learned of each provider, and whether jobs go to it: no hold, no breaker, and a worker that swept."""
    is_held = exists().where(holds.c.scope == "provider", holds.c.scope_id == latencies.c.provider, stand(now))
    has_worker = exists().where(worker_beats.c.swept_at >= alive_since)
    is_going = and_(~is_held, ~breakers.tripped(latencies.c.provider), has_worker)
    rows = connection.execute(select(latencies, is_going.label("is_going")))
    return {row.provider: (_learned(row), bool(row.is_going)) for row in rows}


def save(connection: Connection, provider: str, learned: Learned) -> None:
    """Write what was learned. Of two workers at it at once the last wins, and nothing counts twice or is lost: the
    histogram goes with the callback up to which it has seen them."""
    row = {
        "counts": list(learned.histogram.counts),
        "seen_id": learned.seen_id,
        "learned_at": learned.learned_at,
        "queued": learned.queued,
        "busy_answers": learned.pace.answers,
        "busy_seconds": learned.pace.seconds,
    }
    statement = dialects.insert(connection, latencies).values(row | {"provider": provider})
    connection.execute(statement.on_conflict_do_update(index_elements=["provider"], set_=row))


def newest(connection: Connection, after: UUID, limit: int) -> Sequence[Any]:
    """Up to `limit` callbacks that came after this one, the newest first: id, provider, attempt and when it came.

    Late ones too; not those that contradict what is known, that nobody can read, or that were asked for.
    """
    query = (
        select(callbacks.c.id, callbacks.c.provider, callbacks.c.attempt_id, callbacks.c.received_at)
        .where(callbacks.c.id > after, *_FROM_ITS_ATTEMPT)
        .order_by(callbacks.c.id.desc())
        .limit(limit)
    )
    return connection.execute(query).all()


def submits(connection: Connection, attempt_ids: Sequence[UUID]) -> Sequence[Any]:
    """Of each of these attempts: `id`, `sent_at`, and `first_at`, when its first callback came."""
    first_at = select(func.min(callbacks.c.received_at)).where(
        callbacks.c.attempt_id == attempts.c.id, *_FROM_ITS_ATTEMPT
    )
    sent_at = func.coalesce(attempts.c.sent_at, attempts.c.created_at)
    query = select(attempts.c.id, sent_at.label("sent_at"), first_at.scalar_subquery().label("first_at"))
    return connection.execute(query.where(attempts.c.id.in_(attempt_ids))).all()


def queued(connection: Connection, provider: str, now: datetime, held: Sequence[UUID]) -> int:
    """How many jobs of a provider are queued in batches that nothing stops."""
    query = (
        select(func.coalesce(func.sum(batch_figures.c.queued), 0))
        .select_from(batches)
        .join(batch_figures, batch_figures.c.batch_id == batches.c.id)
        .where(
            batches.c.finalized_at.is_(None),
            batches.c.provider == provider,
            batches.c.cancel_requested_at.is_(None),
            batches.c.expires_at > now,
        )
    )
    if held:
        query = query.where(batches.c.id.not_in(held))
    return int(connection.execute(query).scalar_one())


def _learned(row: Row[Any]) -> Learned:
    pace = Pace(row.busy_answers, row.busy_seconds)
    return Learned(Histogram.of(row.counts), row.seen_id, row.learned_at, row.queued, pace)
