"""Replaying: a body that did nothing when it came is looked at again, as if it came now, with today's reader."""

from typing import Any
from uuid import UUID

from app.db import Connection
from app.errors import Conflict, NotFound
from app.ids import show
from app.runtime import Runtime
from app.services import audit, inbox, orphans
from app.services.audit import By
from app.services.moves import move_cases
from app.services.received import Received, detail_of, event_of, result_rows
from app.states import Case, Outcome
from app.store import batches, callbacklists, figures, jobs, results, usage


def replay(runtime: Runtime, callback_id: UUID, by: By) -> Outcome:
    """Apply a stored body by the inbox's own rules; what became of it. Doing it again changes nothing more.

    An orphan finds its job if its attempt is here by now. Of the others, an answer completes a job that has failed; a
    cancelled one takes it by a retry.

    Raises:
        NotFound: no such callback.
        Conflict: it was applied or discarded, came without a token, or nobody can read it any more.
    """
    row = _replayable(runtime, callback_id)
    if row.outcome == Outcome.ORPHAN:
        audit.note(runtime, by, "callback.replay", show("callback", callback_id))
        inbox.rematch(runtime, [orphans.received(runtime, row)])
        return Outcome(_found(runtime, callback_id).outcome)
    kept = _judge(runtime, orphans.received(runtime, row), Outcome(row.outcome), by)
    inbox.follow_up(runtime, [kept])
    return kept.outcome or Outcome(row.outcome)


def _replayable(runtime: Runtime, callback_id: UUID) -> Any:
    row = _found(runtime, callback_id)
    if row.outcome == Outcome.APPLIED:
        raise Conflict("It was applied already.")
    if row.discarded_at is not None:
        raise Conflict("Somebody has discarded it.")
    if row.attempt_id is None:
        raise Conflict("It came without a token, so it is nobody's before somebody matches it to a job.")
    if row.provider not in runtime.providers:
        raise Conflict("Its provider is not configured any more, so nobody can read it.")
    return row


def _found(runtime: Runtime, callback_id: UUID) -> Any:
    with runtime.database.reading() as connection:
        row = callbacklists.whole(connection, callback_id)
    if row is None:
        raise NotFound("callback", show("callback", callback_id))
    return row


def _judge(runtime: Runtime, received: Received, before: Outcome, by: By) -> inbox.Kept:
    """Fold one body into its locked case, and write down what it is now."""
    moment, batch_id = runtime.moment(), received.subject.batch_id
    with runtime.database.transaction() as connection:
        locked = batches.lock(connection, [batch_id])
        cases = jobs.lock_by_attempt(connection, [received.attempt_id]) if locked else {}
        if not cases or _outcome(connection, received.id) != before:
            raise Conflict("It is something else by now.")
        ((job_id, case),) = cases.items()
        event = event_of(received)
        outcome, ended = Outcome.INVALID, frozenset[UUID]()
        if event is not None:
            moved = move_cases(connection, cases, [(job_id, event)], moment)
            outcome, ended = moved.outcomes[0], moved.ended_batches
        _write(connection, received, case, before, outcome)
        shown = show("callback", received.id)
        audit.add(connection, moment.now, by, "callback.replay", shown, before=before, after=outcome)
    return inbox.Kept(outcome, batch_id, batch_id if ended else None)


def _outcome(connection: Connection, callback_id: UUID) -> Outcome | None:
    row = callbacklists.get(connection, callback_id)
    return None if row is None else Outcome(row.outcome)


def _write(connection: Connection, received: Received, case: Case, before: Outcome, after: Outcome) -> None:
    if after is before:
        return
    callbacklists.judge(connection, received.id, after, detail_of(received))
    answers = result_rows(received, case.job.id) if after is Outcome.APPLIED else []
    results.add(connection, answers)
    batch_id, late = case.job.batch_id, (after is Outcome.LATE) - (before is Outcome.LATE)
    told = usage.told((batch_id, row["details"]) for row in answers)
    figures.add(connection, figures.merged({batch_id: {"late": late}}, told))
