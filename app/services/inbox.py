"""The inbox: every body that a provider sent is kept as it came and applied to its job, many in one transaction."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from app.db import Connection
from app.errors import DatabaseUnavailable
from app.runtime import Runtime
from app.services import budgets, finalizing
from app.services.moves import move_cases
from app.services.received import Received, callback_row, detail_of, event_of, of_provider, result_rows
from app.states import Case, Outcome
from app.store import batches, bulk, callbacks, figures, jobs, limits, orphans, removal, results, usage
from app.store import budgets as spending
from app.transitions import Moment

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of one body; `outcome` None: its batch was removed.

    `batch_id`: the batch of its job, if it has one here. `ended_batch`: the same, if a job of it has ended.
    """

    outcome: Outcome | None
    batch_id: UUID | None = None
    ended_batch: UUID | None = None


def keep(runtime: Runtime, received: Received) -> Future[Kept]:
    """Keep and apply one body in a transaction shared with others; done after its commit.

    Raises:
        DatabaseBusy: too many wait for theirs.
    """
    write, after = partial(_keep_group, runtime), partial(follow_up, runtime)
    kept: Future[Kept] = runtime.callback_commits.submit(received, write, after)
    return kept


def _keep_group(runtime: Runtime, group: Sequence[Received]) -> Sequence[Kept | Exception]:
    """Keep a group in up to two transactions: what is for open jobs or for none, and what is for jobs that are over."""
    kept: dict[UUID, Kept | Exception] = dict(_keep_current(runtime, group))
    past = [received for received in group if received.id not in kept]
    try:
        kept |= _keep_past(runtime, past) if past else {}
    except DatabaseUnavailable as error:
        kept |= {received.id: error for received in past}
    return [kept[received.id] for received in group]


def _keep_current(runtime: Runtime, group: Sequence[Received]) -> Mapping[UUID, Kept]:
    """The bodies for open jobs, and those for no job; the rest needs its batches locked first, and is left."""
    with runtime.database.transaction() as connection:
        cases = jobs.lock_by_attempt(connection, (received.attempt_id for received in group))
        job_of = _job_of(cases)
        current = [r for r in group if r.attempt_id in job_of and cases[job_of[r.attempt_id]].job.is_open]
        kept = _keep_strays(connection, [r for r in group if r.attempt_id not in job_of])
        return {**kept, **apply(connection, _by_provider(runtime, current, cases), cases, runtime.moment())}


def _keep_past(runtime: Runtime, group: Sequence[Received]) -> Mapping[UUID, Kept]:
    """The bodies for jobs that are over, of batches that are not removed. One may still complete a failed job."""
    with runtime.database.transaction() as connection:
        locked = batches.lock(connection, (received.subject.batch_id for received in group))
        cases = jobs.lock_by_attempt(connection, (received.attempt_id for received in group))
        job_of = _job_of(cases)
        found = {r.id: r for r in group if r.attempt_id in job_of and r.subject.batch_id in locked}
        kept = _keep_strays(connection, [received for received in group if received.id not in found])
        past = _by_provider(runtime, list(found.values()), cases)
        return {**kept, **apply(connection, past, cases, runtime.moment())}


def rematch(runtime: Runtime, group: Sequence[Received]) -> None:
    """Move orphans whose attempts are here by now, as if they came now; what is no orphan any more is left alone."""
    if not group:
        return
    with runtime.database.transaction() as connection:
        locked = batches.lock(connection, (received.subject.batch_id for received in group))
        cases = jobs.lock_by_attempt(connection, (received.attempt_id for received in group))
        job_of = _job_of(cases)
        found = {r.id: r for r in group if r.attempt_id in job_of and r.subject.batch_id in locked}
        taken = orphans.take(connection, found)
        matched = _by_provider(runtime, [found[id_] for id_ in found if id_ in taken], cases)
        kept = apply(connection, matched, cases, runtime.moment())
    logger.info("orphans_matched", extra={"size": len(kept)})
    follow_up(runtime, list(kept.values()))


def follow_up(runtime: Runtime, group: Sequence[Kept]) -> None:
    """Hold what has spent its budget, ring where a slot that came free is waited for, finalize what has ended."""
    if not group:
        return
    ended = {kept.ended_batch for kept in group if kept.ended_batch is not None}
    try:
        with runtime.database.reading() as connection:
            waiting = limits.full(connection)
            spent = [row.id for row in spending.spent(connection, {kept.batch_id for kept in group if kept.batch_id})]
        budgets.hold(runtime, spent)  # before anybody is woken to submit more
        for provider in waiting:
            runtime.doorbell.ring(provider)
        if ended:
            finalizing.finalize(runtime, ended)
    except DatabaseUnavailable:
        # The bodies are committed, and that is what the provider was told; the next sweep does the rest.
        logger.warning("follow_up_postponed", exc_info=True)


def _keep_strays(connection: Connection, group: Sequence[Received]) -> Mapping[UUID, Kept]:
    """Bodies whose attempt isn't here: outdated if the batch was removed, else orphans, kept for a person."""
    removed = removal.removed(connection, {received.subject.batch_id for received in group}) if group else set()
    strays = [received for received in group if received.subject.batch_id not in removed]
    rows = [callback_row(received, None, Outcome.ORPHAN, "no such attempt") for received in strays]
    # Orphans are in nobody's figures.
    callbacks.add(connection, [row | {"rematch_at": row["received_at"]} for row in rows])()
    return {r.id: Kept(None if r.subject.batch_id in removed else Outcome.ORPHAN) for r in group}


def _by_provider(runtime: Runtime, group: Sequence[Received], cases: Mapping[UUID, Case]) -> Sequence[Received]:
    """Bodies whose attempts are known, each as coming from the provider of its attempt."""
    provider_of = {id_: attempt.provider for case in cases.values() for id_, attempt in case.attempts.items()}
    return [of_provider(runtime, received, provider_of[received.attempt_id]) for received in group]


def _job_of(cases: Mapping[UUID, Case]) -> Mapping[UUID, UUID]:
    """Which job each attempt belongs to."""
    return {attempt_id: job_id for job_id, case in cases.items() for attempt_id in case.attempts}


def apply(
    connection: Connection, group: Sequence[Received], cases: Mapping[UUID, Case], moment: Moment
) -> Mapping[UUID, Kept]:
    """Fold a group, in order of arrival, into its locked cases; write bodies, moves and answers.

    A body that comes twice is late the second time, as its attempt is closed by then; the inbox only counts it.
    """
    if not group:
        return {}
    job_of = _job_of(cases)
    outcomes = {received.id: Outcome.INVALID for received in group}
    read = [(received, event) for received in group if (event := event_of(received)) is not None]
    with bulk.together(connection):
        moved = move_cases(
            connection, cases, [(job_of[received.attempt_id], event) for received, event in read], moment
        )
        outcomes |= {received.id: outcome for (received, _), outcome in zip(read, moved.outcomes, strict=True)}
        rows = [callback_row(r, job_of[r.attempt_id], outcomes[r.id], detail_of(r)) for r in group]
        count_up = callbacks.add(connection, rows)
        applied = [received for received in group if outcomes[received.id] is Outcome.APPLIED]
        answers = [(r.subject.batch_id, row) for r in applied for row in result_rows(r, job_of[r.attempt_id])]
        results.add(connection, [row for _, row in answers])
    told = usage.told((batch_id, row["details"]) for batch_id, row in answers)
    figures.add(connection, figures.merged(count_up(), told))
    ended = moved.ended_batches
    batch_of = {received.id: received.subject.batch_id for received in group}
    return {id_: Kept(outcomes[id_], batch, batch if batch in ended else None) for id_, batch in batch_of.items()}
