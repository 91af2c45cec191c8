"""Who did what: written in the transaction that does it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from app.ids import new_id
from app.models import audit_events


def add(connection: Connection, now: datetime, actor: str, action: str, subject: str, **details: Any) -> None:
    """Record an action. `subject` is a shown id; details hold no prompts, answers or keys."""
    row = {"id": new_id(), "at": now, "actor": actor, "action": action, "subject": subject, "details": details}
    connection.execute(insert(audit_events), row)
