"""Finalizing: a batch whose last job ended gets its end and its frozen counts, in a transaction of its own."""

import logging
from collections.abc import Iterable
from uuid import UUID

from app.db import Connection
from app.ids import show
from app.runtime import Runtime
from app.states import JobState
from app.store import batches

logger = logging.getLogger(__name__)


def finalize(runtime: Runtime, batch_ids: Iterable[UUID]) -> int:
    """Finalize those of these batches that have no open job; how many that were.

    Runs after the transaction that ended a job: inside it, two last jobs would each see the other open.
    """
    return sum(_finalize(runtime, batch_id) for batch_id in sorted(batch_ids))


def _finalize(runtime: Runtime, batch_id: UUID) -> bool:
    with runtime.database.reading() as connection:
        if batches.has_open_jobs(connection, batch_id):
            return False
    now = runtime.moment().now
    with runtime.database.transaction() as connection:
        batch = batches.lock(connection, [batch_id]).get(batch_id)
        if batch is None or batch.finalized_at is not None or batches.has_open_jobs(connection, batch_id):
            return False
        freeze(connection, batch_id)
        batches.change(connection, batch_id, finalized_at=now)
    logger.info("batch_finalized", extra={"batch_id": show("batch", batch_id)})
    return True


def freeze(connection: Connection, batch_id: UUID) -> None:
    """Count the jobs of a batch that is locked, and keep the numbers."""
    counted = batches.counts(connection, batch_id)
    batches.change(connection, batch_id, final_counts={state: counted.get(state, 0) for state in JobState})
