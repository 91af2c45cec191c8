"""API keys, by the hash of their secret."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, or_, select, update

from app.models import api_keys
from app.store import dialects


def add(connection: Connection, row: dict[str, Any]) -> bool:
    """Keep a key; one with the same secret or id is left as it is (False)."""
    statement = dialects.insert(connection, api_keys).values(row).on_conflict_do_nothing()
    return connection.execute(statement.returning(api_keys.c.id)).first() is not None


def by_hash(connection: Connection, sha256: str) -> Row[Any] | None:
    """The key with this hash, revoked or not."""
    return connection.execute(select(api_keys).where(api_keys.c.sha256 == sha256)).one_or_none()


def get(connection: Connection, key_id: UUID) -> Row[Any] | None:
    """One key."""
    return connection.execute(select(api_keys).where(api_keys.c.id == key_id)).one_or_none()


def listing(connection: Connection) -> Sequence[Row[Any]]:
    """All keys, oldest first."""
    return connection.execute(select(api_keys).order_by(api_keys.c.id)).all()


def lock(connection: Connection, key_id: UUID) -> Row[Any] | None:
    """One key, locked."""
    return connection.execute(select(api_keys).where(api_keys.c.id == key_id).with_for_update()).one_or_none()


def page(connection: Connection, before: UUID | None, limit: int) -> Sequence[Row[Any]]:
    """Up to `limit` keys, newest first, older than `before`."""
    query = select(api_keys).order_by(api_keys.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(api_keys.c.id < before)
    return connection.execute(query).all()


def note_use(connection: Connection, key_id: UUID, now: datetime, unless_since: datetime) -> None:
    """The key was used now, unless that was written down since then, as by another process."""
    is_older = or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at <= unless_since)
    connection.execute(update(api_keys).where(api_keys.c.id == key_id, is_older).values(last_used_at=now))


def revoke(connection: Connection, key_id: UUID, at: datetime, now: datetime) -> bool:
    """From `at` on the key opens nothing; False: so it was before."""
    still_opens = or_(api_keys.c.revoked_at.is_(None), api_keys.c.revoked_at > now)
    chosen = update(api_keys).where(api_keys.c.id == key_id, still_opens)
    return connection.execute(chosen.values(revoked_at=at)).rowcount > 0
