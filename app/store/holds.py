"""Holds: what must not be submitted now, and why."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, case, delete, null, or_, select

from app.ids import show
from app.models import holds
from app.store import dialects

Scope = Literal["provider", "batch"]


def place(connection: Connection, row: dict[str, Any]) -> None:
    """Add a hold, or renew the one of the same scope and reason: it ends when the later of the two does."""
    statement = dialects.insert(connection, holds).values(row)
    new = statement.excluded
    later = case(
        (or_(holds.c.until.is_(None), new.until.is_(None)), null()),
        (new.until > holds.c.until, new.until),
        else_=holds.c.until,
    )
    since = case((holds.c.until <= new.since, new.since), else_=holds.c.since)
    told = {"message": new.message, "placed_by": new.placed_by, "fingerprint": new.fingerprint}
    renewed = told | {"until": later, "since": since}
    connection.execute(statement.on_conflict_do_update(index_elements=["scope", "scope_id", "reason"], set_=renewed))


def stand(now: datetime) -> ColumnElement[bool]:
    """That a hold has not ended; a condition, to be part of queries."""
    return or_(holds.c.until.is_(None), holds.c.until > now)


def standing(connection: Connection, now: datetime, scope: Scope | None = None) -> Sequence[Row[Any]]:
    """The holds that have not ended, oldest first."""
    query = select(holds).where(stand(now)).order_by(holds.c.since)
    if scope is not None:
        query = query.where(holds.c.scope == scope)
    return connection.execute(query).all()


def on_batches(connection: Connection, batch_ids: Sequence[UUID], now: datetime) -> Mapping[UUID, Sequence[Row[Any]]]:
    """The holds on these batches that have not ended, oldest first; a batch that has none is left out."""
    names = {show("batch", batch_id): batch_id for batch_id in batch_ids}
    query = select(holds).where(holds.c.scope == "batch", holds.c.scope_id.in_(names), stand(now))
    found: dict[UUID, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(query.order_by(holds.c.since)):
        found[names[row.scope_id]].append(row)
    return found


def get(connection: Connection, scope: Scope, scope_id: str, reason: str) -> Row[Any] | None:
    """One hold, whether or not it has ended."""
    chosen = (holds.c.scope == scope, holds.c.scope_id == scope_id, holds.c.reason == reason)
    return connection.execute(select(holds).where(*chosen)).one_or_none()


def lift(connection: Connection, scope: str, scope_id: str, reason: str) -> bool:
    """Remove a hold; False: there was none."""
    chosen = (holds.c.scope == scope, holds.c.scope_id == scope_id, holds.c.reason == reason)
    return connection.execute(delete(holds).where(*chosen)).rowcount > 0


def lift_outdated(connection: Connection, provider: str, reason: str, fingerprints: Sequence[str]) -> bool:
    """Remove a hold on a provider unless it has one of these fingerprints; one without any goes. False: none went."""
    chosen = (holds.c.scope == "provider", holds.c.scope_id == provider, holds.c.reason == reason)
    is_outdated = or_(holds.c.fingerprint.is_(None), holds.c.fingerprint.not_in(fingerprints))
    return connection.execute(delete(holds).where(*chosen, is_outdated)).rowcount > 0


def lift_from_batches(connection: Connection, batch_ids: Sequence[UUID]) -> None:
    """Remove every hold on batches that have ended: there is nothing more to hold."""
    if batch_ids:
        names = [show("batch", batch_id) for batch_id in batch_ids]
        connection.execute(delete(holds).where(holds.c.scope == "batch", holds.c.scope_id.in_(names)))


def remove_ended(connection: Connection, now: datetime) -> int:
    """Remove the holds whose end has passed; how many there were."""
    return connection.execute(delete(holds).where(holds.c.until <= now)).rowcount
