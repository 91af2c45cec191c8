"""The moves of a submit: claimed, and what became of it."""

from app.states import Attempt, AttemptState, Case, JobState, Outcome
from app.transitions.events import Acked, Claimed, OutcomeUnknown, Refused, Rejected
from app.transitions.steps import Moment, Step, close, ends, holds, queues, survived, waits


def claimed(case: Case, event: Claimed, moment: Moment) -> Step:
    """b: queued -> submitting."""
    job = case.job
    if job.state is not JobState.QUEUED:
        return Step(case, Outcome.LATE)
    attempt = Attempt(
        event.attempt_id, job.last_number + 1, event.provider, AttemptState.SUBMITTING, created_at=moment.now
    )
    claimed = Case(job, {**case.attempts, attempt.id: attempt}).with_job(
        state=JobState.SUBMITTING,
        due_at=moment.timing_of(event.provider).lease_until(moment.now),
        current_attempt_id=attempt.id,
        attempts=job.attempts + 1,
        last_number=attempt.number,
    )
    return Step(claimed, Outcome.APPLIED)


def acked(case: Case, event: Acked, moment: Moment) -> Step:
    """c: submitting -> waiting. Also after the lease ran out, as long as the attempt is still open."""
    attempt = case.attempts[event.attempt_id]
    case = case.with_attempt(
        attempt.id,
        provider_task_id=attempt.provider_task_id or event.task_id,
        sent_at=attempt.sent_at or event.sent_at,
        acked_at=moment.now,
        http_status=event.http_status,
    )
    if not holds(case, attempt, AttemptState.SUBMITTING, AttemptState.UNKNOWN):
        return Step(case, Outcome.LATE)
    case = case.with_attempt(attempt.id, state=AttemptState.WAITING, error_code=None, error_message=None)
    return Step(survived(waits(case, moment.callback_due(attempt.provider))), Outcome.APPLIED)


def outcome_unknown(case: Case, event: OutcomeUnknown, moment: Moment) -> Step:
    """d: submitting -> waiting, for a grace time in which a callback may still come."""
    attempt = case.attempts[event.attempt_id]
    case = case.with_attempt(attempt.id, sent_at=attempt.sent_at or event.sent_at, http_status=event.http_status)
    if not holds(case, attempt, AttemptState.SUBMITTING):
        return Step(case, Outcome.LATE)
    case = case.with_attempt(attempt.id, state=AttemptState.UNKNOWN, error_code=event.code, error_message=event.message)
    case = waits(case, moment.timing_of(attempt.provider).grace_until(moment.now))
    return Step(survived(case) if event.sent_at else case, Outcome.APPLIED)


def refused(case: Case, event: Refused, moment: Moment) -> Step:
    """k: submitting -> queued. The attempt keeps its number and does not count.

    After its lease ran out (`unknown`) the news that nothing was accepted is as good.
    """
    attempt = case.attempts[event.attempt_id]
    if not holds(case, attempt, AttemptState.SUBMITTING, AttemptState.UNKNOWN):
        return Step(case, Outcome.LATE)
    case = close(case, attempt.id, AttemptState.REFUSED, moment, event.code, event.message)
    case = case.with_attempt(attempt.id, http_status=event.http_status)
    case = queues(case, event.retry_at).with_job(attempts=case.job.attempts - 1)
    return Step(survived(case) if event.was_tried else case, Outcome.APPLIED)


def rejected(case: Case, event: Rejected, moment: Moment) -> Step:
    """g: submitting -> failed."""
    attempt = case.attempts[event.attempt_id]
    case = case.with_attempt(attempt.id, sent_at=event.sent_at, http_status=event.http_status)
    if not holds(case, attempt, AttemptState.SUBMITTING, AttemptState.UNKNOWN):
        return Step(case, Outcome.LATE)
    case = close(case, attempt.id, AttemptState.FAILED, moment, event.code, event.message)
    case = case.with_attempt(attempt.id, is_permanent=True)
    return Step(ends(case, JobState.FAILED, moment, event.code, event.message), Outcome.APPLIED)
