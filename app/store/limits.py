"""Limits: one row a provider, which every claim locks first, so that all workers share one rate."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from app.models import limits
from app.store import dialects


def lock(connection: Connection, provider: str, now: datetime) -> Row[Any]:
    """`next_slot_at`, the next free rate slot, and `is_full`, whether the last claim found too little room in flight.

    Until the transaction ends no other worker claims for it.
    """
    query = select(limits).where(limits.c.provider == provider).with_for_update()
    found = connection.execute(query).one_or_none()
    if found is None:
        row = {"provider": provider, "next_slot_at": now, "is_full": False}
        connection.execute(dialects.insert(connection, limits).values(row).on_conflict_do_nothing())
        found = connection.execute(query).one()
    return found


def next_slot_at(connection: Connection, provider: str) -> datetime | None:
    """As `lock`, without the lock; None before the first claim."""
    found: datetime | None = connection.execute(
        select(limits.c.next_slot_at).where(limits.c.provider == provider)
    ).scalar()
    return found


def full(connection: Connection) -> Sequence[str]:
    """The providers for which a slot that comes free has somebody waiting."""
    return connection.execute(select(limits.c.provider).where(limits.c.is_full)).scalars().all()


def write(connection: Connection, provider: str, next_slot_at: datetime, *, is_full: bool) -> None:
    """Slots before `next_slot_at` are taken. The row must be locked."""
    chosen = update(limits).where(limits.c.provider == provider)
    connection.execute(chosen.values(next_slot_at=next_slot_at, is_full=is_full))
