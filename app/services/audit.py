"""The audit: who did what to what, and why, as far as they said; written in the transaction that does it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.db import Connection
from app.runtime import Runtime
from app.store import audit


@dataclass(frozen=True, slots=True)
class By:
    """Who acts, and why in their own words; None: they gave no reason."""

    actor: str
    reason: str | None = None


def by_owner(owner: str | None) -> By:
    """An owner who does it without a word; None: whoever runs the service."""
    return By(owner or "admin")


def add(connection: Connection, now: datetime, by: By, action: str, subject: str, **details: Any) -> None:
    """Record an action. `subject` is a shown id; details hold no prompts, answers or keys."""
    said = {} if by.reason is None else {"reason": by.reason}
    audit.add(connection, now, by.actor, action, subject, details | said)


def note(runtime: Runtime, by: By, action: str, subject: str, **details: Any) -> None:
    """Record what changes no row: that somebody came in, or is about to see texts.

    Raises:
        DatabaseUnavailable: it can't be written down, so nothing may be shown.
    """
    now = runtime.moment().now
    with runtime.database.transaction() as connection:
        add(connection, now, by, action, subject, **details)
