"""Search: what a pasted word may be the name or the id of."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, select

from app.models import attempts, batches, jobs

BATCHES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Named:
    """Jobs of this `custom_id`, by id, those of the newest batch first; `before`: the last batch that was looked in,
    None if there is no older one."""

    job_ids: tuple[UUID, ...]
    before: UUID | None


def named(connection: Connection, custom_id: str, before: UUID | None) -> Named:
    """The jobs of this name in the newest batches that are older than `before`.

    Batch by batch, each from the index that keeps names apart in it: an index of the names alone would cost every
    write of every job.
    """
    chosen = select(batches.c.id).where(batches.c.removed_at.is_(None)).order_by(batches.c.id.desc())
    if before is not None:
        chosen = chosen.where(batches.c.id < before)
    newest = chosen.limit(BATCHES_AT_ONCE).subquery()
    in_batch = select(jobs.c.id).where(jobs.c.batch_id == newest.c.id, jobs.c.custom_id == custom_id)
    rows = connection.execute(
        select(newest.c.id, in_batch.scalar_subquery().label("job_id")).order_by(newest.c.id.desc())
    ).all()
    last = rows[-1].id if len(rows) == BATCHES_AT_ONCE else None
    return Named(tuple(row.job_id for row in rows if row.job_id is not None), last)


def of_task(connection: Connection, task_id: str, limit: int) -> Sequence[UUID]:
    """The jobs for which a provider made a task of this id."""
    query = select(attempts.c.job_id).where(attempts.c.provider_task_id == task_id)
    return connection.execute(query.limit(limit)).scalars().all()
