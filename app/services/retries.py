"""Retries: jobs that are over without an answer are queued again, or take one that is stored already."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.db import Connection
from app.runtime import Runtime
from app.services import salvage
from app.services.moves import move
from app.states import JobState, Outcome
from app.store import batches, jobs
from app.transitions import Event, Moment, Retried

CHUNK = 100
"""So many jobs may go in one transaction: a retry reads whole bodies again."""

RETRYABLE = (JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Requeued:
    """Which jobs are queued again, and which were completed for free. Of those that could be neither, `stale` says what
    they are; those that are not there are missing in it. `opened` are the batches that it concerned."""

    queued: tuple[UUID, ...]
    salvaged: tuple[UUID, ...]
    stale: Mapping[UUID, JobState]
    opened: frozenset[UUID]


def requeue(
    runtime: Runtime,
    connection: Connection,
    job_ids: Sequence[UUID],
    moment: Moment,
    begun: AbstractSet[UUID] = frozenset(),
) -> Requeued:
    """j: up to `CHUNK` jobs, of whatever batches, in the transaction that opens these too, which may have ended.

    `begun`: batches of which this retry has had jobs before; one that was cancelled since then is left alone.
    """
    batch_of = jobs.batches_of(connection, job_ids)
    locked = batches.lock(connection, batch_of.values())
    there = [id_ for id_, batch_id in batch_of.items() if batch_id in locked]
    cases = jobs.lock(connection, there)  # all of them, in order, before the few that are salvaged
    over = [id_ for id_, case in cases.items() if case.job.state in RETRYABLE and _is_for(locked[batch_of[id_]], begun)]
    salvaged = salvage.complete(connection, salvage.find(runtime, connection, over), moment)
    events: list[tuple[UUID, Event]] = [(id_, Retried(locked[batch_of[id_]].max_attempts)) for id_ in over]
    moved = move(connection, events, moment)
    queued = [id_ for id_, outcome in zip(over, moved.outcomes, strict=True) if outcome is Outcome.APPLIED]
    changed = {*queued, *salvaged}
    opened = frozenset(batch_of[id_] for id_ in changed)
    for batch_id in sorted(opened):
        _reopen(connection, locked[batch_id], moment.now, is_first=batch_id not in begun)
    stale = {id_: case.job.state for id_, case in cases.items() if id_ not in changed}
    return Requeued(tuple(queued), tuple(salvaged), stale, opened)


def _is_for(batch: Any, begun: AbstractSet[UUID]) -> bool:
    return batch.cancel_requested_at is None or batch.id not in begun


def _reopen(connection: Connection, batch: Any, now: datetime, *, is_first: bool) -> None:
    values: dict[str, object] = {"finalized_at": None, "cancel_requested_at": None}
    if batch.expires_at <= now:
        values["expires_at"] = now + timedelta(seconds=batch.lifetime_seconds)
    if is_first or batch.finalized_at is not None:  # so that a round ends once
        values["round"] = batch.round + 1
    batches.change(connection, batch.id, **values)
