"""Finalizing: a batch whose last job ended gets its end, in a transaction of its own, and its figures become one."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from app.db import Connection
from app.ids import show
from app.runtime import Runtime
from app.services import announcements
from app.states import JobState
from app.store import batches, figures, holds, throughput
from app.store.figures import Folded
from app.store.throughput import Ended

logger = logging.getLogger(__name__)

_AT_ONCE = 100


def finalize(runtime: Runtime, batch_ids: Collection[UUID]) -> None:
    """Finalize those of these batches that have no open job, and wake whoever waits for one that has ended.

    Runs after the transaction that ended a job: inside it, two last jobs would each see the other open.
    """
    runtime.endings.tell(batch_ids)
    with runtime.database.reading() as connection:
        ended = _ended(connection, batch_ids)
    if ended:
        _settle(runtime, ended)


def settle(runtime: Runtime) -> bool:
    """Fold the figures of batches that have moved, and finalize what ended and was missed; whether there are more.

    Both in one transaction: a batch that has ended but is not finalized has figures that are not folded, so it is
    found again, whoever died on the way.
    """
    with runtime.database.reading() as connection:
        moved = figures.not_folded(connection, _AT_ONCE)
    if moved:
        _settle(runtime, moved)
    return len(moved) == _AT_ONCE


def _settle(runtime: Runtime, batch_ids: Sequence[UUID]) -> None:
    now = runtime.moment().now
    with runtime.database.transaction() as connection:
        found = batches.lock(connection, batch_ids)
        folded = figures.fold(connection, batch_ids)
        # Asked after the fold: whoever ended a job since then has left figures that are not folded.
        ended = _ended(connection, [batch.id for batch in found.values() if batch.finalized_at is None])
        for batch_id in ended:
            batches.change(connection, batch_id, finalized_at=now)
        holds.lift_from_batches(connection, ended)
        announcements.settled(runtime, connection, found, folded, frozenset(ended))
        throughput.add(connection, now, _by_provider(found, folded))
    for batch_id in ended:
        logger.info("batch_finalized", extra={"batch_id": show("batch", batch_id)})


def _by_provider(found: Mapping[UUID, Any], folded: Mapping[UUID, Folded]) -> Mapping[str, Ended]:
    """How many jobs have ended since the last fold. Those that a retry took back were counted when they ended."""
    ended: dict[str, Ended] = {}
    for batch in found.values():
        completed, failed = ended.get(batch.provider, Ended(0, 0))
        new = folded[batch.id].new
        ended[batch.provider] = Ended(
            completed + max(0, new[JobState.COMPLETED]), failed + max(0, new[JobState.FAILED])
        )
    return ended


def _ended(connection: Connection, batch_ids: Iterable[UUID]) -> Sequence[UUID]:
    """Those of these batches that have no open job."""
    return [batch_id for batch_id in batch_ids if not batches.has_open_jobs(connection, batch_id)]
