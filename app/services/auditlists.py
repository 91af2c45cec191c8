"""The audit, page by page: what was done, by whom, to what, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.ids import show
from app.runtime import Runtime
from app.services.status import read_cursor
from app.services.views import Page
from app.store import audit


@dataclass(frozen=True, slots=True)
class AuditView:
    """One action: who did what to what, and why; `details` without the reason."""

    id: UUID
    at: datetime
    actor: str
    action: str
    subject: str
    reason: str | None
    details: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which actions to list: those with exactly these words; None: any."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None

    @property
    def columns(self) -> Mapping[str, str]:
        given = {"actor": self.actor, "action": self.action, "subject": self.subject}
        return {name: value for name, value in given.items() if value is not None}


def listing(runtime: Runtime, wanted: Wanted, cursor: str | None, limit: int) -> Page[AuditView]:
    """Up to `limit` actions, newest first.

    Raises:
        InvalidInput: `cursor` is none of ours.
    """
    before = None if cursor is None else read_cursor("audit", cursor)
    with runtime.database.reading() as connection:
        rows = audit.page(connection, wanted.columns, before, limit + 1)
    views = tuple(map(_view, rows[:limit]))
    return Page(views, show("audit", views[-1].id) if len(rows) > limit else None)


def _view(row: Any) -> AuditView:
    rest = {name: value for name, value in row.details.items() if name != "reason"}
    return AuditView(row.id, row.at, row.actor, row.action, row.subject, row.details.get("reason"), rest)
