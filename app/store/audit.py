"""Who did what: written in the transaction that does it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, insert, select

from app.ids import new_id
from app.models import audit_events


def add(
    connection: Connection, now: datetime, actor: str, action: str, subject: str, details: Mapping[str, Any]
) -> None:
    """Record an action."""
    row = {"id": new_id(), "at": now, "actor": actor, "action": action, "subject": subject, "details": dict(details)}
    connection.execute(insert(audit_events), row)


def page(connection: Connection, wanted: Mapping[str, str], before: UUID | None, limit: int) -> Sequence[Row[Any]]:
    """Up to `limit` actions, newest first, older than `before`; `wanted`: columns and what has to stand in them."""
    query = select(audit_events).where(*(audit_events.c[name] == value for name, value in wanted.items()))
    if before is not None:
        query = query.where(audit_events.c.id < before)
    return connection.execute(query.order_by(audit_events.c.id.desc()).limit(limit)).all()
