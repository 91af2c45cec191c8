"""Removal: a finished batch is gone at once for everybody; what it held is deleted in chunks, by whoever sweeps."""

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.db import Connection
from app.ids import show
from app.runtime import Runtime
from app.services import audit
from app.services.audit import By
from app.store import batches, removal

logger = logging.getLogger(__name__)

CHUNK = 200
_AT_ONCE = 10


def mark(connection: Connection, batch: Any, now: datetime, by: By) -> None:
    """Nobody sees the batch any more, and its callbacks are refused. It must be locked and finalized."""
    removal.mark(connection, batch.id, now)
    audit.add(connection, now, by, "batch.delete", show("batch", batch.id), total=batch.total)
    logger.info("batch_removed", extra={"batch_id": show("batch", batch.id), "by": by.actor})


def retire(runtime: Runtime) -> bool:
    """Mark batches that ended longer ago than they are to be kept; whether there are more."""
    if runtime.settings.retention_days is None:
        return False
    now = runtime.moment().now
    then = now - timedelta(days=runtime.settings.retention_days)
    with runtime.database.reading() as connection:
        old = removal.finished_by(connection, then, _AT_ONCE)
    if old:
        with runtime.database.transaction() as connection:
            for batch in batches.lock(connection, old).values():
                if batch.finalized_at is not None and batch.finalized_at <= then:  # no retry has opened it meanwhile
                    mark(connection, batch, now, By("retention"))
    return len(old) == _AT_ONCE


def remove_marked(runtime: Runtime) -> bool:
    """Delete a chunk of each of some batches that are marked; whether there is more."""
    with runtime.database.reading() as connection:
        marked = removal.marked(connection, _AT_ONCE)
    has_more = [remove_chunk(runtime, batch_id) for batch_id in marked]
    return any(has_more) or len(marked) == _AT_ONCE


def remove_chunk(runtime: Runtime, batch_id: UUID) -> bool:
    """Delete a chunk of a marked batch, and with the last one the batch; whether there is more."""
    with runtime.database.transaction() as connection:
        if not removal.lock(connection, batch_id):
            return False
        if removal.remove_jobs(connection, batch_id, CHUNK) == CHUNK:
            return True
        removal.remove_rest(connection, batch_id, runtime.moment().now)
    logger.info("batch_purged", extra={"batch_id": show("batch", batch_id)})
    return False
