"""Removal: a batch is marked, and is no more for anybody; what hangs on it goes chunk by chunk."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select, update

from app.models import (
    attempts,
    batch_figures,
    batches,
    callbacks,
    job_inputs,
    job_results,
    jobs,
    purged_batches,
)
from app.store import events


def mark(connection: Connection, batch_id: UUID, now: datetime) -> None:
    """From this commit on there is no such batch; that it existed is kept, so that its callbacks are no orphans.

    The batch must be locked and finalized. Its idempotency key is free again.
    """
    connection.execute(insert(purged_batches), {"id": batch_id, "purged_at": now})
    chosen = update(batches).where(batches.c.id == batch_id)
    connection.execute(chosen.values(removed_at=now, idempotency_key=None))


def marked(connection: Connection, limit: int) -> Sequence[UUID]:
    """Up to `limit` batches that are marked and still hold something."""
    query = select(batches.c.id).where(batches.c.removed_at.is_not(None)).order_by(batches.c.id).limit(limit)
    return connection.execute(query).scalars().all()


def finished_by(connection: Connection, then: datetime, limit: int) -> Sequence[UUID]:
    """Up to `limit` batches that were finalized by then, the oldest first."""
    query = select(batches.c.id).where(batches.c.finalized_at <= then, batches.c.removed_at.is_(None))
    return connection.execute(query.order_by(batches.c.finalized_at).limit(limit)).scalars().all()


def lock(connection: Connection, batch_id: UUID) -> bool:
    """Lock a marked batch for its removal; False: another worker is at it, or has done it."""
    query = select(batches.c.id).where(batches.c.id == batch_id, batches.c.removed_at.is_not(None))
    return connection.execute(query.with_for_update(skip_locked=True)).first() is not None


def remove_jobs(connection: Connection, batch_id: UUID, limit: int) -> int:
    """Delete up to `limit` jobs of a batch, prompts, answers and bodies before the rest; how many there were."""
    first = select(jobs.c.id).where(jobs.c.batch_id == batch_id).order_by(jobs.c.position).limit(limit)
    chosen = connection.execute(first).scalars().all()
    # Locked in the order in which all lock jobs: a callback for them may be on its way.
    connection.execute(select(jobs.c.id).where(jobs.c.id.in_(chosen)).order_by(jobs.c.id).with_for_update()).all()
    for table in (job_inputs, job_results, callbacks, attempts):
        connection.execute(delete(table).where(table.c.job_id.in_(chosen)))
    connection.execute(delete(jobs).where(jobs.c.id.in_(chosen)))
    return len(chosen)


def remove_rest(connection: Connection, batch_id: UUID, now: datetime) -> None:
    """Delete a batch that has no job left; what is to be told of it is told first."""
    events.forget_of_batch(connection, batch_id, now)
    for table in (callbacks, batch_figures):
        connection.execute(delete(table).where(table.c.batch_id == batch_id))
    connection.execute(delete(batches).where(batches.c.id == batch_id))


def removed(connection: Connection, batch_ids: Iterable[UUID]) -> set[UUID]:
    """Which of these were removed."""
    query = select(purged_batches.c.id).where(purged_batches.c.id.in_(list(batch_ids)))
    return set(connection.execute(query).scalars())
