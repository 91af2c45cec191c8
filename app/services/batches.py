"""What an owner can do with a batch that exists: cancel it, retry it, remove it."""

from collections.abc import Sequence
from uuid import UUID

from app.db import Connection
from app.errors import Conflict, InvalidInput, Problem
from app.ids import show
from app.runtime import Runtime
from app.services import audit, budgets, finalizing, removal, retries, sweeps
from app.services.audit import By, by_owner
from app.services.moves import Moved, move
from app.services.status import find_batch, lock_batch
from app.services.views import RetryReport
from app.states import OPEN_JOB_STATES, JobState, Outcome
from app.store import batches, jobs
from app.transitions import Cancelled, Event

_CHUNK = 100


def cancel(
    runtime: Runtime, owner: str | None, batch_id: UUID, custom_ids: Sequence[str] | None = None, by: By | None = None
) -> int:
    """h: end the open jobs of a batch, all of them or the named ones; how many that were. `by` None: its owner does.

    What comes back later is kept, and a retry can use it.

    Raises:
        NotFound: no such batch of this owner's.
        InvalidInput: a `custom_id` that the batch doesn't have.
        Conflict: the batch had ended before, or a named job is completed or failed.
    """
    by = by or by_owner(owner)
    if custom_ids is None:
        return _cancel_all(runtime, owner, batch_id, by)
    with runtime.database.reading() as connection:
        find_batch(connection, owner, batch_id)
        rows = _named(connection, batch_id, custom_ids, (*OPEN_JOB_STATES, JobState.CANCELLED), "cancelled")
    cancelled = 0
    for start in range(0, len(rows), _CHUNK):
        events: list[tuple[UUID, Event]] = [(job_id, Cancelled()) for job_id in rows[start : start + _CHUNK]]
        with runtime.database.transaction() as connection:
            ended = _applied(move(connection, events, runtime.moment()))
            if ended:
                audit.add(connection, runtime.moment().now, by, "batch.cancel", show("batch", batch_id), jobs=ended)
        cancelled += ended
    _follow_up(runtime, batch_id)
    return cancelled


def _follow_up(runtime: Runtime, batch_id: UUID) -> None:
    """The batch may have ended, and room in flight may have come free."""
    finalizing.finalize(runtime, [batch_id])
    for provider in runtime.providers:
        runtime.doorbell.ring(provider)


def _cancel_all(runtime: Runtime, owner: str | None, batch_id: UUID, by: By) -> int:
    """The mark stops claims at once; the jobs follow in chunks, by the sweep if this process dies meanwhile."""
    now = runtime.moment().now
    with runtime.database.transaction() as connection:
        batch = lock_batch(connection, owner, batch_id)
        if batch.finalized_at is not None and batch.cancel_requested_at is None:
            raise Conflict("The batch has ended; there is nothing to cancel.")
        if batch.cancel_requested_at is None:
            batches.change(connection, batch_id, cancel_requested_at=now)
            audit.add(connection, now, by, "batch.cancel", show("batch", batch_id))
    cancelled = 0
    while chunk := sweeps.end_jobs(runtime, batch_id, Cancelled()):
        cancelled += chunk
    _follow_up(runtime, batch_id)
    return cancelled


def delete(runtime: Runtime, owner: str | None, batch_id: UUID, by: By | None = None) -> None:
    """Remove a finished batch with its prompts, answers and callbacks: at once for all to see, a large one in chunks.

    `by` None: its owner does.

    Raises:
        NotFound: no such batch of this owner's.
        Conflict: it has not ended.
    """
    now = runtime.moment().now
    with runtime.database.transaction() as connection:
        batch = lock_batch(connection, owner, batch_id)
        if batch.finalized_at is None:
            raise Conflict("The batch has not ended; cancel it first.")
        removal.mark(connection, batch, now, by or by_owner(owner))
    removal.remove_chunk(runtime, batch_id)  # the sweep does the others


def retry(
    runtime: Runtime, owner: str | None, batch_id: UUID, custom_ids: Sequence[str] | None, by: By | None = None
) -> RetryReport:
    """j: put failed and cancelled jobs back in the queue, all of them or the named ones. `by` None: its owner does.

    A job for which a readable result is stored takes that one, for free. The batch opens again, with a new round,
    and with its whole time to live if that had run out.

    Raises:
        NotFound: no such batch of this owner's.
        InvalidInput: a `custom_id` that the batch doesn't have.
        Conflict: a named job is open or completed.
    """
    with runtime.database.reading() as connection:
        batch = find_batch(connection, owner, batch_id)
        chosen = _chosen(connection, batch_id, custom_ids)
    done, by = RetryReport(0, 0), by or by_owner(owner)
    for start in range(0, len(chosen), retries.CHUNK):
        part = _retry_chunk(runtime, batch_id, chosen[start : start + retries.CHUNK], by, is_first=start == 0)
        done = RetryReport(done.queued + part.queued, done.salvaged + part.salvaged)
    finalizing.finalize(runtime, [batch_id])
    budgets.enforce(runtime, [batch_id])
    runtime.doorbell.ring(batch.provider)
    return done


def _chosen(connection: Connection, batch_id: UUID, custom_ids: Sequence[str] | None) -> Sequence[UUID]:
    if custom_ids is None:
        return jobs.in_states(connection, batch_id, retries.RETRYABLE)
    return _named(connection, batch_id, custom_ids, retries.RETRYABLE, "retried")


def _named(
    connection: Connection, batch_id: UUID, custom_ids: Sequence[str], fitting: Sequence[JobState], what: str
) -> Sequence[UUID]:
    """The jobs of these names, all of which have to exist and to be in a fitting state."""
    found = jobs.named(connection, batch_id, custom_ids)
    unknown = [(index, name) for index, name in enumerate(custom_ids) if name not in found]
    if unknown:
        message = "The batch has no job with this custom_id."
        problems = [Problem(message, f"/custom_ids/{index}", value=name) for index, name in unknown[:100]]
        raise InvalidInput(problems, len(unknown))
    for row in found.values():
        if row.state not in fitting:
            raise Conflict(f"Job '{row.custom_id}' is {row.state}, so it can't be {what}.")
    return sorted(row.id for row in found.values())


def _applied(moved: Moved) -> int:
    return sum(outcome is Outcome.APPLIED for outcome in moved.outcomes)


def _retry_chunk(runtime: Runtime, batch_id: UUID, job_ids: Sequence[UUID], by: By, *, is_first: bool) -> RetryReport:
    """One chunk in one transaction."""
    moment = runtime.moment()
    with runtime.database.transaction() as connection:
        done = retries.requeue(runtime, connection, job_ids, moment, begun=frozenset() if is_first else {batch_id})
        if is_first:
            audit.add(connection, moment.now, by, "batch.retry", show("batch", batch_id))
    return RetryReport(len(done.queued), len(done.salvaged))
