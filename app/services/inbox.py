"""The inbox: every body that a provider sent is kept as it came and applied to its job, many in one transaction."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from app.db import Connection
from app.errors import DatabaseUnavailable
from app.runtime import Runtime
from app.services import finalizing
from app.services.moves import move_cases
from app.services.received import Received, callback_row, detail_of, event_of, result_rows
from app.states import Case, Outcome
from app.store import batches, callbacks, jobs, limits, results
from app.transitions import Moment

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of one body; `outcome` None: its batch was removed.

    `follows_up`: one of each group sees to what comes after its commit, `ended_batches` among it.
    """

    outcome: Outcome | None
    follows_up: bool = False
    ended_batches: frozenset[UUID] = frozenset()


def keep(runtime: Runtime, received: Received) -> Outcome | None:
    """Keep and apply one body in a transaction shared with others; what became of it, None if its batch was removed."""
    kept: Kept | None = runtime.callback_commits.submit(received, partial(_keep_group, runtime))
    if kept is None:
        kept = _keep_past(runtime, received)
    if kept.follows_up:
        _follow_up(runtime, kept.ended_batches)
    return kept.outcome


def _follow_up(runtime: Runtime, ended_batches: frozenset[UUID]) -> None:
    """Finalize what has ended, and ring where a slot that came free is waited for."""
    try:
        finalizing.finalize(runtime, ended_batches)
        with runtime.database.reading() as connection:
            waiting = limits.full(connection)
    except DatabaseUnavailable:
        # The bodies are committed, and that is what the provider is told; the next sweep does the rest.
        logger.warning("follow_up_postponed", exc_info=True)
        return
    for provider in waiting:
        runtime.doorbell.ring(provider)


def _keep_group(runtime: Runtime, group: Sequence[Received]) -> Sequence[Kept | None]:
    """Keep what is for open jobs, and what is for no job; None for the rest, which needs its batch locked first."""
    with runtime.database.transaction() as connection:
        cases = jobs.lock_by_attempt(connection, (received.attempt_id for received in group))
        job_of = _job_of(cases)
        current = [r for r in group if r.attempt_id in job_of and cases[job_of[r.attempt_id]].job.is_open]
        outcomes = _keep_strays(connection, [r for r in group if r.attempt_id not in job_of])
        ended = _apply(connection, current, cases, runtime.moment(), outcomes)
    kept = [Kept(outcomes[received.id]) if received.id in outcomes else None for received in group]
    first = next((index for index, one in enumerate(kept) if one is not None), None)
    if first is not None:
        kept[first] = Kept(outcomes[group[first].id], follows_up=True, ended_batches=ended)
    return kept


def _keep_strays(connection: Connection, group: Sequence[Received]) -> dict[UUID, Outcome | None]:
    """Bodies whose attempt isn't here: outdated if their owner removed the batch, else orphans, kept for a person."""
    removed = batches.purged(connection, {received.subject.batch_id for received in group}) if group else set()
    orphans = [received for received in group if received.subject.batch_id not in removed]
    callbacks.add(connection, [callback_row(received, None, Outcome.ORPHAN, "no such attempt") for received in orphans])
    return {r.id: None if r.subject.batch_id in removed else Outcome.ORPHAN for r in group}


def _keep_past(runtime: Runtime, received: Received) -> Kept:
    """A body for a job that is over. It may still complete a failed one; the frozen figures of its batch follow."""
    outcomes: dict[UUID, Outcome | None] = {}
    with runtime.database.transaction() as connection:
        batch = batches.lock(connection, [received.subject.batch_id]).get(received.subject.batch_id)
        cases = jobs.lock_by_attempt(connection, [received.attempt_id])
        if batch is None or not cases:
            return Kept(_keep_strays(connection, [received])[received.id])
        job_id = _job_of(cases)[received.attempt_id]
        before = batches.figures(connection, batch.id, job_id)
        ended = _apply(connection, [received], cases, runtime.moment(), outcomes)
        if batch.finalized_at is not None:
            finalizing.correct(connection, batch, before, batches.figures(connection, batch.id, job_id))
    return Kept(outcomes[received.id], follows_up=True, ended_batches=ended)


def _job_of(cases: Mapping[UUID, Case]) -> Mapping[UUID, UUID]:
    """Which job each attempt belongs to."""
    return {attempt_id: job_id for job_id, case in cases.items() for attempt_id in case.attempts}


def _apply(
    connection: Connection,
    group: Sequence[Received],
    cases: Mapping[UUID, Case],
    moment: Moment,
    outcomes: dict[UUID, Outcome | None],
) -> frozenset[UUID]:
    """Fold a group, in order of arrival, into its locked cases; write bodies, moves and answers; the batches ended.

    A body that comes twice is late the second time, as its attempt is closed by then; the inbox only counts it.
    """
    job_of = _job_of(cases)
    outcomes.update({received.id: Outcome.INVALID for received in group})
    read = [(received, event) for received in group if (event := event_of(received)) is not None]
    moved = move_cases(connection, cases, [(job_of[received.attempt_id], event) for received, event in read], moment)
    outcomes.update({received.id: outcome for (received, _), outcome in zip(read, moved.outcomes, strict=True)})
    callbacks.add(connection, [callback_row(r, job_of[r.attempt_id], outcomes[r.id], detail_of(r)) for r in group])
    applied = [received for received in group if outcomes[received.id] is Outcome.APPLIED]
    results.add(connection, [row for r in applied for row in result_rows(r, job_of[r.attempt_id])])
    return moved.ended_batches
