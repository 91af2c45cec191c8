"""Lists of batches, by what is asked of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args
from uuid import UUID

from app import ids
from app.db import Connection
from app.errors import InvalidInput, Problem
from app.runtime import Runtime
from app.services.status import batch_views, read_cursor
from app.services.views import BatchStatus, BatchView
from app.store import batchlists
from app.store import holds as hold_rows
from app.store.batchlists import Wanted

LOOKED_AT = batchlists.LOOKED_AT
STATUSES: tuple[str, ...] = get_args(BatchStatus)
MOST_NEWER = 100


@dataclass(frozen=True, slots=True)
class BatchFilter:
    """What is asked of batches; what is empty leaves all of them. `name` is a part of it, in any case of letters."""

    statuses: tuple[str, ...] = ()
    owner: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class BatchList:
    """One page, newest first; `next_cursor` None: there is nothing behind it.

    `is_cut`: as many batches as may be for one page were looked at before it was full; there may be more behind it.
    `newer`: how many there are before it, up to `MOST_NEWER`; 0 unless it was asked for from a batch on.
    """

    items: tuple[BatchView, ...]
    next_cursor: str | None
    is_cut: bool
    newer: int


def listing(
    runtime: Runtime, asked: BatchFilter, cursor: str | None, limit: int, *, top: str | None = None
) -> BatchList:
    """Up to `limit` batches that are as asked, from behind `cursor`, or from the batch `top` on, which may be gone.

    Raises:
        InvalidInput: an unknown status, or `cursor` or `top` is none of ours.
    """
    first = None if top is None else read_cursor("batch", top)
    before = None if cursor is None else read_cursor("batch", cursor)
    if first is not None:
        before = UUID(int=first.int + 1)
    with runtime.database.reading() as connection:
        wanted = _wanted(runtime, connection, asked)
        found = batchlists.look(connection, wanted, before, limit)
        views = batch_views(runtime, connection, found.rows)
        newer = batchlists.newer(connection, wanted, first, MOST_NEWER) if first is not None else 0
    next_cursor = ids.show("batch", found.end) if found.end is not None else None
    return BatchList(views, next_cursor, next_cursor is not None and len(views) < limit, newer)


def _wanted(runtime: Runtime, connection: Connection, asked: BatchFilter) -> Wanted:
    unknown = [status for status in asked.statuses if status not in STATUSES]
    if unknown:
        raise InvalidInput([Problem(f"No batch is ever '{unknown[0][:80]}'.", "/status", value=unknown[0][:200])])
    held: Sequence[UUID] = ()
    if {"paused", "in_progress"}.intersection(asked.statuses):
        rows = hold_rows.standing(connection, runtime.moment().now, "batch")
        held = [ids.read("batch", row.scope_id) for row in rows]
    return Wanted(asked.statuses, asked.owner, asked.name, held)
