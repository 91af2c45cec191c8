"""Endpoints: where submitters hear of their batches."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, or_, select, update

from app.models import webhook_endpoints as endpoints
from app.store import dialects

_IS_THERE = endpoints.c.removed_at.is_(None)


def add(connection: Connection, row: Mapping[str, Any]) -> None:
    """A new endpoint, unless it is for named batches and its owner has one of this URL."""
    connection.execute(dialects.insert(connection, endpoints).values(dict(row)).on_conflict_do_nothing())


def of_url(connection: Connection, owner: str, url: str) -> Row[Any] | None:
    """The endpoint that a batch means which names this URL: one that hears of every batch, if there is one."""
    query = select(endpoints).where(endpoints.c.owner == owner, endpoints.c.url == url, _IS_THERE)
    return connection.execute(query.order_by(endpoints.c.of_named_batches, endpoints.c.id).limit(1)).one_or_none()


def get(connection: Connection, owner: str | None, endpoint_id: UUID) -> Row[Any] | None:
    """One endpoint; `owner` None: whoever's it is."""
    query = select(endpoints).where(endpoints.c.id == endpoint_id, _IS_THERE)
    if owner is not None:
        query = query.where(endpoints.c.owner == owner)
    return connection.execute(query).one_or_none()


def lock(connection: Connection, endpoint_id: UUID) -> Row[Any] | None:
    """An endpoint, removed or not, locked; always before any delivery to it. New deliveries don't wait for it."""
    query = select(endpoints).where(endpoints.c.id == endpoint_id)
    return connection.execute(query.with_for_update(key_share=True)).one_or_none()


def page(connection: Connection, owner: str | None, before: UUID | None, limit: int) -> Sequence[Row[Any]]:
    """Up to `limit` endpoints, newest first, older than `before`; `owner` None: whoever's they are."""
    query = select(endpoints).where(_IS_THERE).order_by(endpoints.c.id.desc()).limit(limit)
    if owner is not None:
        query = query.where(endpoints.c.owner == owner)
    if before is not None:
        query = query.where(endpoints.c.id < before)
    return connection.execute(query).all()


def change(connection: Connection, endpoint_id: UUID, **values: object) -> None:
    """Write these columns of an endpoint."""
    connection.execute(update(endpoints).where(endpoints.c.id == endpoint_id).values(**values))


def listening(connection: Connection, owners: Iterable[str], named: Iterable[UUID | None]) -> Sequence[Row[Any]]:
    """The endpoints that are told of the batches of these owners now; of those for named batches, only the `named`."""
    hears = or_(~endpoints.c.of_named_batches, endpoints.c.id.in_({each for each in named if each is not None}))
    query = select(endpoints).where(endpoints.c.owner.in_(set(owners)), hears)
    return connection.execute(query.where(_IS_THERE, endpoints.c.disabled_at.is_(None)).order_by(endpoints.c.id)).all()


def disabled(connection: Connection, limit: int) -> Sequence[Row[Any]]:
    """Up to `limit` endpoints, whoever's, that nothing is sent to until somebody enables them again."""
    query = select(endpoints).where(endpoints.c.disabled_at.is_not(None), _IS_THERE)
    return connection.execute(query.order_by(endpoints.c.disabled_at, endpoints.c.id).limit(limit)).all()


def count(connection: Connection, owner: str) -> int:
    """How many endpoints an owner has that hear of every batch."""
    query = select(func.count()).select_from(endpoints)
    return connection.execute(
        query.where(endpoints.c.owner == owner, ~endpoints.c.of_named_batches, _IS_THERE)
    ).scalar_one()
