"""Batches: what their owner asked for, and how they ended."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.models import attempts, batches, callbacks, each_literally, job_inputs, job_results, jobs, purged_batches
from app.states import OPEN_JOB_STATES, AttemptState, JobState, Outcome


def add(connection: Connection, row: Mapping[str, Any]) -> bool:
    """a: a new batch. False: the owner used its idempotency key before (nothing was written)."""
    if connection.dialect.name == "postgresql":
        # The loser of a race for one key waits here until the winner's jobs are all in.
        connection.exec_driver_sql("SET LOCAL lock_timeout = '25s'")
    try:
        with connection.begin_nested():
            connection.execute(insert(batches), dict(row))
    except IntegrityError:
        if by_idempotency_key(connection, row["owner"], row["idempotency_key"]) is None:
            raise
        return False
    return True


def by_idempotency_key(connection: Connection, owner: str, key: str) -> Row[Any] | None:
    """The batch that this owner made with this key."""
    query = select(batches).where(batches.c.owner == owner, batches.c.idempotency_key == key)
    return connection.execute(query).one_or_none()


def get(connection: Connection, owner: str | None, batch_id: UUID) -> Row[Any] | None:
    """One batch; `owner` None: whoever's it is."""
    query = select(batches).where(batches.c.id == batch_id)
    if owner is not None:
        query = query.where(batches.c.owner == owner)
    return connection.execute(query).one_or_none()


def page(connection: Connection, owner: str | None, before: UUID | None, limit: int) -> Sequence[Row[Any]]:
    """Up to `limit` batches, newest first, older than `before`."""
    query = select(batches).order_by(batches.c.id.desc()).limit(limit)
    if owner is not None:
        query = query.where(batches.c.owner == owner)
    if before is not None:
        query = query.where(batches.c.id < before)
    return connection.execute(query).all()


def lock(connection: Connection, batch_ids: Iterable[UUID]) -> Mapping[UUID, Row[Any]]:
    """These batches, locked in the order of their ids; always before any of their jobs."""
    query = select(batches).where(batches.c.id.in_(sorted(set(batch_ids)))).order_by(batches.c.id).with_for_update()
    return {row.id: row for row in connection.execute(query)}


def change(connection: Connection, batch_id: UUID, **values: object) -> None:
    """Write these columns of a batch."""
    connection.execute(update(batches).where(batches.c.id == batch_id).values(**values))


def has_open_jobs(connection: Connection, batch_id: UUID) -> bool:
    """Whether any job may still move."""
    return bool(connection.execute(select(_open_jobs(batch_id))).scalar_one())


def figures(connection: Connection, batch_id: UUID, job_id: UUID | None = None) -> Mapping[str, int]:
    """What is counted of a batch, or what one of its jobs adds to that.

    How many jobs are in each state, by the state's name; `submits`, `submitted_jobs` and `cost_nano` of the attempts;
    `late` and `repeats` of the callbacks.
    """
    counted = select(jobs.c.state, func.count()).where(jobs.c.batch_id == batch_id).group_by(jobs.c.state)
    was_sent = attempts.c.state != AttemptState.REFUSED
    of_attempts = (
        select(
            func.count().filter(was_sent).label("submits"),
            func.count(attempts.c.job_id.distinct()).filter(was_sent).label("submitted_jobs"),
            func.coalesce(func.sum(attempts.c.cost_nano), 0).label("cost_nano"),
        )
        .join(jobs, jobs.c.id == attempts.c.job_id)
        .where(jobs.c.batch_id == batch_id)
    )
    of_callbacks = select(
        func.count().filter(callbacks.c.outcome == Outcome.LATE).label("late"),
        func.coalesce(func.sum(callbacks.c.times - 1), 0).label("repeats"),
    ).where(callbacks.c.batch_id == batch_id)
    if job_id is not None:
        counted, of_attempts = counted.where(jobs.c.id == job_id), of_attempts.where(jobs.c.id == job_id)
        of_callbacks = of_callbacks.where(callbacks.c.job_id == job_id)
    found: dict[str, int] = {str(state): 0 for state in JobState}
    found |= {state: number for state, number in connection.execute(counted)}  # noqa: C416 - a Row is not a pair
    for query in (of_attempts, of_callbacks):
        found |= {name: int(value) for name, value in connection.execute(query).one()._asdict().items()}
    return found


def any_open(connection: Connection) -> bool:
    """Whether any batch is not finalized."""
    return connection.execute(select(batches.c.id).where(batches.c.finalized_at.is_(None)).limit(1)).first() is not None


def oldest_open_job_at(connection: Connection, batch_id: UUID) -> datetime | None:
    """When the batch's oldest open job was created."""
    query = select(func.min(jobs.c.created_at)).where(
        jobs.c.batch_id == batch_id, jobs.c.state.in_(each_literally(OPEN_JOB_STATES))
    )
    return connection.execute(query).scalar()


def ended(connection: Connection, limit: int) -> Sequence[UUID]:
    """Batches whose jobs are all final but that are not finalized."""
    no_open_job = ~exists().where(jobs.c.batch_id == batches.c.id, jobs.c.state.in_(each_literally(OPEN_JOB_STATES)))
    query = select(batches.c.id).where(batches.c.finalized_at.is_(None), no_open_job)
    return connection.execute(query.limit(limit)).scalars().all()


def expired(connection: Connection, now: datetime) -> Sequence[UUID]:
    """Batches that have run out of time with jobs still open."""
    query = select(batches.c.id).where(batches.c.finalized_at.is_(None), batches.c.expires_at <= now)
    return connection.execute(query.where(_open_jobs(batches.c.id))).scalars().all()


def cancelling(connection: Connection) -> Sequence[UUID]:
    """Batches whose cancel was not carried through: whoever began it is gone."""
    query = select(batches.c.id).where(batches.c.finalized_at.is_(None), batches.c.cancel_requested_at.is_not(None))
    return connection.execute(query.where(_open_jobs(batches.c.id))).scalars().all()


def purge(connection: Connection, batch_id: UUID, now: datetime) -> None:
    """Remove a batch with all that hangs on it; that it existed is kept, so that its callbacks are no orphans."""
    connection.execute(insert(purged_batches), {"id": batch_id, "purged_at": now})
    of_batch = select(jobs.c.id).where(jobs.c.batch_id == batch_id)
    connection.execute(of_batch.order_by(jobs.c.id).with_for_update()).all()  # in the order in which all lock jobs
    connection.execute(delete(callbacks).where(callbacks.c.batch_id == batch_id))
    for table in (job_inputs, job_results, attempts):
        connection.execute(delete(table).where(table.c.job_id.in_(of_batch)))
    connection.execute(delete(jobs).where(jobs.c.batch_id == batch_id))
    connection.execute(delete(batches).where(batches.c.id == batch_id))


def purged(connection: Connection, batch_ids: Iterable[UUID]) -> set[UUID]:
    """Which of these were removed by their owner."""
    query = select(purged_batches.c.id).where(purged_batches.c.id.in_(list(batch_ids)))
    return set(connection.execute(query).scalars())


def _open_jobs(batch_id: Any) -> Any:
    return exists().where(jobs.c.batch_id == batch_id, jobs.c.state.in_(each_literally(OPEN_JOB_STATES)))
