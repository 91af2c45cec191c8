"""API keys, by the hash of their secret."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select, update

from app.models import api_keys
from app.store import dialects


def add(connection: Connection, row: dict[str, Any]) -> bool:
    """Keep a key; one with the same secret is left as it is (False)."""
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


def revoke(connection: Connection, key_id: UUID, now: datetime) -> None:
    """From `now` on the key opens nothing."""
    chosen = (api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    connection.execute(update(api_keys).where(*chosen).values(revoked_at=now))
