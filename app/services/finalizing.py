"""Finalizing: a batch whose last job ended gets its end and its frozen figures, in a transaction of its own."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from app.db import Connection
from app.ids import show
from app.runtime import Runtime
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
        batches.change(connection, batch_id, finalized_at=now, final_figures=batches.figures(connection, batch_id))
    logger.info("batch_finalized", extra={"batch_id": show("batch", batch_id)})
    return True


def correct(connection: Connection, batch: Any, before: Mapping[str, int], after: Mapping[str, int]) -> None:
    """A job of a finalized batch, which is locked, counts differently now: the frozen figures follow."""
    figures = {name: number + after[name] - before[name] for name, number in batch.final_figures.items()}
    batches.change(connection, batch.id, final_figures=figures)
