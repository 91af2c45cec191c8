"""Orphans: callbacks with a good token whose attempt isn't here, as after a backup was restored."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.errors import NotFound
from app.ids import read as read_id
from app.ids import show
from app.runtime import Runtime
from app.services import audit, inbox
from app.services.audit import By
from app.services.received import Received, read
from app.services.views import OrphanView, Page
from app.store import orphans
from app.tokens import CallbackSubject

CHUNK = 100
FIRST_PAUSE = timedelta(seconds=30)
LOOKED_FOR = timedelta(hours=24)


def rematch(runtime: Runtime) -> bool:
    """Part of the sweep: move those whose attempt has appeared since, like any late callback; was the chunk full.

    The pauses grow with its age: each is looked for about a dozen times, then left to people.
    """
    now = runtime.moment().now
    with runtime.database.reading() as connection:
        due = orphans.due(connection, now, CHUNK)
        found = orphans.whole(connection, [row.id for row in due if row.has_attempt])
    if not due:
        return False
    # Before they are moved: one that breaks on the way must not be the first of every sweep.
    with runtime.database.transaction() as connection:
        orphans.put_off(connection, {row.id: _next_look(row.received_at, now) for row in due})
    inbox.rematch(runtime, [received(runtime, row) for row in found if row.provider in runtime.providers])
    return len(due) == CHUNK


def _next_look(received_at: datetime, now: datetime) -> datetime | None:
    age = now - received_at
    return min(now + max(FIRST_PAUSE, age), received_at + LOOKED_FOR) if age < LOOKED_FOR else None


def received(runtime: Runtime, row: Any) -> Received:
    """A row of the inbox as the body that it was, with its id, its times and its instants."""
    return read(
        runtime, CallbackSubject(row.batch_id, row.attempt_id), row.provider, row.body, source=row.source
    ).again(row.id, row.times, row.received_at, row.last_received_at)


def listing(runtime: Runtime, cursor: str | None = None, limit: int = 100) -> Page[OrphanView]:
    """Up to `limit` orphans that nobody discarded, newest first.

    Raises:
        NotFound: `cursor` is none of ours.
    """
    before = None if cursor is None else read_id("callback", cursor)
    with runtime.database.reading() as connection:
        rows = orphans.page(connection, before, limit + 1)
    views = tuple(orphan_view(row, row.bytes) for row in rows[:limit])
    return Page(views, show("callback", views[-1].id) if len(rows) > limit else None)


def discard(runtime: Runtime, callback_id: UUID, by: By) -> None:
    """Say that a body is nobody's. It is kept, marked, and no longer listed or looked at.

    Raises:
        NotFound: no such orphan, or somebody has matched or discarded it.
    """
    now = runtime.moment().now
    with runtime.database.transaction() as connection:
        if not orphans.discard(connection, callback_id, now):
            raise NotFound("orphan", show("callback", callback_id))
        audit.add(connection, now, by, "callback.discard", show("callback", callback_id))


def find(runtime: Runtime, callback_id: UUID) -> Any:
    """The whole row of an orphan. Raises NotFound: it is none, or none any more."""
    with runtime.database.reading() as connection:
        rows: Sequence[Any] = orphans.whole(connection, [callback_id])
    if not rows:
        raise NotFound("orphan", show("callback", callback_id))
    return rows[0]


def orphan_view(row: Any, size: int) -> OrphanView:
    """An orphan's row as operators see it."""
    return OrphanView(
        id=row.id,
        provider=row.provider,
        has_token=row.source != orphans.UNPROVEN,
        batch_id=row.batch_id,
        times=row.times,
        bytes=size,
        sha256=row.sha256,
        detail=row.detail,
        received_at=row.received_at,
        last_received_at=row.last_received_at,
        rematch_at=row.rematch_at,
    )
