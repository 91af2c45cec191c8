"""What became of submits, written down: many in one transaction; what has to stop submitting becomes a hold."""

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from app.clock import now
from app.config import Settings
from app.db import Connection
from app.errors import DatabaseUnavailable
from app.ids import show
from app.providers.base import Accepted, Answered, Held, Rejected, Unknown
from app.runtime import Runtime
from app.services import breakers, finalizing, refusals, responses
from app.services.claims import Sent
from app.services.moves import move_cases
from app.store import holds, jobs
from app.transitions import Acked, Event, Moment, OutcomeUnknown, Refused
from app.transitions import Rejected as JobRejected

logger = logging.getLogger(__name__)

HANDED_BACK = "handed_back"
STOPPING_SECONDS = 3.0
"""How long a process that is told to stop waits for a database that is away."""


def record_patiently(runtime: Runtime, sent: Sequence[Sent]) -> bool:
    """As `record`, but a database that is away is waited for: a task id that is lost can't be asked for.

    Not longer than the alarms wait for a callback, and less in a process that is told to stop. What is given up then
    stands in the log.
    """
    timing = runtime.moment().timing_of(sent[0].claim.provider)
    give_up_at = timing.grace_until(max(one.claim.lease_until for one in sent))
    while True:
        try:
            return record(runtime, sent)
        except DatabaseUnavailable:
            if runtime.stopping.is_set():
                give_up_at = min(give_up_at, now() + timedelta(seconds=STOPPING_SECONDS))
            if now() >= give_up_at:
                _log_given_up(sent)
                return True
            logger.warning("record_postponed", exc_info=True, extra={"size": len(sent)})
            time.sleep(0.5)


def _log_given_up(sent: Sequence[Sent]) -> None:
    for one in sent:
        task_id = one.outcome.task_id if isinstance(one.outcome, Accepted) else None
        attempt_id = show("attempt", one.claim.attempt_id)
        logger.error("record_given_up", extra={"attempt_id": attempt_id, "task_id": task_id})


def record(runtime: Runtime, sent: Sequence[Sent]) -> bool:
    """Write down what became of these claims of one provider, in one transaction; what stops submitting becomes a hold.

    Whether it has to stop: what was claimed ahead then goes back unsent.

    Raises:
        DatabaseUnavailable: nothing was written.
    """
    moment, provider = runtime.moment(), sent[0].claim.provider
    answers = responses.answers(runtime, sent)
    events = [(one.claim.job_id, event) for one in sent if (event := _event(one, moment)) is not None]
    with runtime.database.transaction() as connection:
        cases = jobs.lock(connection, [one.claim.job_id for one in sent])
        kept = responses.keep(connection, answers, cases, moment)
        moved = move_cases(
            connection, {job_id: cases[job_id] for job_id, _ in events if job_id in cases}, events, moment
        )
        responses.keep_unreadable(connection, runtime, sent)
        for one in sent:
            if isinstance(one.outcome, Held):
                _hold(connection, runtime.settings, one, one.outcome, moment)
        told = [(one.claim.attempt_id, one.outcome) for one in sent]
        before, breaker = breakers.note(connection, provider, told, runtime.settings.breaker_faults, moment)
    finalizing.finalize(runtime, moved.ended_batches)
    responses.follow_up(runtime, answers, kept)
    has_to_stop = breaker.trips > 0 or any(isinstance(one.outcome, Held) for one in sent)
    if has_to_stop:
        runtime.sweeping_due.set()  # a hold may end before the next sweep
    elif before.trips:
        runtime.doorbell.ring(provider)  # all workers may go on
    return has_to_stop


def _event(sent: Sent, moment: Moment) -> Event | None:
    """None for an answer, which goes through the inbox."""
    attempt_id = sent.claim.attempt_id
    match sent.outcome:
        case Accepted(task_id=task_id, http_status=status):
            return Acked(attempt_id, task_id, sent.sent_at, status)
        case Answered():
            return None
        case Unknown(code=code, message=message, http_status=status):
            return OutcomeUnknown(attempt_id, code, message, sent.sent_at, status)
        case Rejected(code=code, message=message, http_status=status):
            return JobRejected(attempt_id, code, message, sent.sent_at, status)
        case Held() as held:
            return Refused(attempt_id, held.reason, held.message, _retry_at(sent, held, moment), held.http_status)
        case None:
            return Refused(attempt_id, HANDED_BACK, "The worker gave it back unsent.", moment.now, was_tried=False)


def _retry_at(sent: Sent, held: Held, moment: Moment) -> datetime:
    if held.needs_operator:
        return moment.now
    if held.retry_after_seconds:  # "at once", or a date that has passed, is no reason for a storm
        return moment.now + timedelta(seconds=held.retry_after_seconds)
    return moment.timing.backoff_until(moment.now, sent.claim.refusals + 1, sent.claim.attempt_id)


def _hold(connection: Connection, settings: Settings, sent: Sent, held: Held, moment: Moment) -> None:
    provider = sent.claim.provider
    row = {
        "scope": "provider",
        "scope_id": provider,
        "reason": held.reason,
        "message": held.message,
        "since": moment.now,
        "until": None if held.needs_operator else _retry_at(sent, held, moment),
        "placed_by": "submission",
        "fingerprint": refusals.fingerprint(settings, provider, held.reason),
    }
    holds.place(connection, row)
    logger.warning("provider_held", extra={"provider": provider, "reason": held.reason, "until": str(row["until"])})
