"""Limits: one row a provider, which every claim locks first, so that all workers share one rate."""

from datetime import datetime

from sqlalchemy import Connection, select, update

from app.models import limits
from app.store import dialects


def lock(connection: Connection, provider: str, now: datetime) -> datetime:
    """When the provider's next free rate slot is. Until the transaction ends no other worker claims for it."""
    query = select(limits.c.next_slot_at).where(limits.c.provider == provider).with_for_update()
    found: datetime | None = connection.execute(query).scalar()
    if found is None:
        row = {"provider": provider, "next_slot_at": now}
        connection.execute(dialects.insert(connection, limits).values(row).on_conflict_do_nothing())
        found = connection.execute(query).scalar_one()
    return found


def next_slot_at(connection: Connection, provider: str) -> datetime | None:
    """As `lock`, without the lock; None before the first claim."""
    found: datetime | None = connection.execute(
        select(limits.c.next_slot_at).where(limits.c.provider == provider)
    ).scalar()
    return found


def reserve(connection: Connection, provider: str, next_slot_at: datetime) -> None:
    """Slots before `next_slot_at` are taken."""
    connection.execute(update(limits).where(limits.c.provider == provider).values(next_slot_at=next_slot_at))
