"""Batches: what their owner asked for, and how they ended."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, select, update

from app.models import batches, each_literally, jobs
from app.states import OPEN_JOB_STATES
from app.store import dialects

_IS_THERE = batches.c.removed_at.is_(None)


def add(connection: Connection, row: Mapping[str, Any]) -> Row[Any] | None:
    """a: a new batch, as it is stored. None: the owner used its idempotency key before (nothing was written)."""
    if row["idempotency_key"] is not None and connection.dialect.name == "postgresql":
        # The loser of a race for one key waits below until the winner's jobs are all in.
        connection.exec_driver_sql("SET LOCAL lock_timeout = '25s'")
    once = dialects.insert(connection, batches).on_conflict_do_nothing(index_elements=["owner", "idempotency_key"])
    return connection.execute(once.returning(batches), dict(row)).one_or_none()


def by_idempotency_key(connection: Connection, owner: str, key: str) -> Row[Any] | None:
    """The batch that this owner made with this key."""
    query = select(batches).where(batches.c.owner == owner, batches.c.idempotency_key == key)
    return connection.execute(query).one_or_none()


def get(connection: Connection, owner: str | None, batch_id: UUID) -> Row[Any] | None:
    """One batch; `owner` None: whoever's it is."""
    query = select(batches).where(batches.c.id == batch_id, _IS_THERE)
    if owner is not None:
        query = query.where(batches.c.owner == owner)
    return connection.execute(query).one_or_none()


def page(connection: Connection, owner: str | None, before: UUID | None, limit: int) -> Sequence[Row[Any]]:
    """Up to `limit` batches, newest first, older than `before`."""
    query = select(batches).where(_IS_THERE).order_by(batches.c.id.desc()).limit(limit)
    if owner is not None:
        query = query.where(batches.c.owner == owner)
    if before is not None:
        query = query.where(batches.c.id < before)
    return connection.execute(query).all()


def lock(connection: Connection, batch_ids: Iterable[UUID]) -> Mapping[UUID, Row[Any]]:
    """These batches, locked in the order of their ids; always before any of their jobs."""
    query = select(batches).where(batches.c.id.in_(sorted(set(batch_ids))), _IS_THERE).order_by(batches.c.id)
    return {row.id: row for row in connection.execute(query.with_for_update())}


def fall_back_on(provider: str) -> ColumnElement[bool]:
    """That open batches fall back on this provider; a condition, to be part of queries."""
    return exists().where(_falls_back_on(provider))


def falling_back_on(connection: Connection, provider: str) -> Sequence[str]:
    """The providers of open batches that fall back on this one."""
    query = select(batches.c.provider).distinct().where(_falls_back_on(provider))
    return connection.execute(query.order_by(batches.c.provider)).scalars().all()


def _falls_back_on(provider: str) -> ColumnElement[bool]:
    return and_(batches.c.fallback_provider == provider, batches.c.finalized_at.is_(None))


def change(connection: Connection, batch_id: UUID, **values: object) -> None:
    """Write these columns of a batch."""
    connection.execute(update(batches).where(batches.c.id == batch_id).values(**values))


def has_open_jobs(connection: Connection, batch_id: UUID) -> bool:
    """Whether any job may still move."""
    return bool(connection.execute(select(_open_jobs(batch_id))).scalar_one())


def any_open(connection: Connection) -> bool:
    """Whether any batch is not finalized."""
    return connection.execute(select(batches.c.id).where(batches.c.finalized_at.is_(None)).limit(1)).first() is not None


def expired(connection: Connection, now: datetime) -> Sequence[UUID]:
    """Batches that have run out of time with jobs still open."""
    query = select(batches.c.id).where(batches.c.finalized_at.is_(None), batches.c.expires_at <= now)
    return connection.execute(query.where(_open_jobs(batches.c.id))).scalars().all()


def cancelling(connection: Connection) -> Sequence[UUID]:
    """Batches whose cancel was not carried through: whoever began it is gone."""
    query = select(batches.c.id).where(batches.c.finalized_at.is_(None), batches.c.cancel_requested_at.is_not(None))
    return connection.execute(query.where(_open_jobs(batches.c.id))).scalars().all()


def _open_jobs(batch_id: Any) -> Any:
    return exists().where(jobs.c.batch_id == batch_id, jobs.c.state.in_(each_literally(OPEN_JOB_STATES)))
