"""The moves by time and by the owner: the alarm, cancel, expiry, retry."""

from datetime import datetime

from app.states import AttemptState, Case, JobState, Outcome
from app.transitions.events import AlarmRang, Cancelled, Expired, MarkedFailed, OutcomeUnknown, Retried
from app.transitions.steps import Moment, Step, again_or_failed, close, close_open, ends, queues
from app.transitions.submits import outcome_unknown


def alarm_rang(case: Case, event: AlarmRang, moment: Moment) -> Step:
    """d, e or g: the lease or the deadline has passed."""
    job = case.job
    attempt = case.attempts.get(job.current_attempt_id) if job.current_attempt_id else None
    if job.due_at is None or job.due_at > moment.now or attempt is None or not attempt.is_open:
        return Step(case, Outcome.LATE)
    if event.due_at not in (None, job.due_at):
        return Step(case, Outcome.LATE)
    if job.state is JobState.SUBMITTING:
        # A crash after the POST looks the same from here as one before it, so it must be taken as sent.
        lost = OutcomeUnknown(attempt.id, "lease_expired", "The worker that was to submit it did not come back.")
        step = outcome_unknown(case, lost, moment)
        return Step(step.case.with_job(suspect=True), Outcome.APPLIED)
    later = put_off(case, moment)
    if later is not None:
        return Step(case.with_job(due_at=later), Outcome.APPLIED)
    code, message = "timed_out", "No callback came in time."
    case = close(
        case, attempt.id, AttemptState.TIMED_OUT, moment, attempt.error_code or code, attempt.error_message or message
    )
    return Step(again_or_failed(case, moment, code, message), Outcome.APPLIED)


def put_off(case: Case, moment: Moment) -> datetime | None:
    """The new deadline of a task whose alarm has rung, if tasks are given more time by now than when it was accepted.

    What is known of a provider that becomes slow comes late: it must not be too late for those that wait already.
    """
    attempt = case.attempts.get(case.job.current_attempt_id) if case.job.current_attempt_id else None
    if attempt is None or attempt.state is not AttemptState.WAITING or attempt.acked_at is None:
        return None
    due_at = moment.callback_due(attempt.provider, attempt.acked_at)
    return due_at if due_at > moment.now else None


def cancelled(case: Case, event: Cancelled, moment: Moment) -> Step:
    """h: any open state -> cancelled."""
    if not case.job.is_open:
        return Step(case, Outcome.LATE)
    case = close_open(case, AttemptState.CANCELLED, moment)
    return Step(ends(case, JobState.CANCELLED, moment, None, None), Outcome.APPLIED)


def expired(case: Case, event: Expired, moment: Moment) -> Step:
    """i: any open state -> failed."""
    if not case.job.is_open:
        return Step(case, Outcome.LATE)
    case = close_open(case, AttemptState.TIMED_OUT, moment)
    ended = ends(case, JobState.FAILED, moment, "batch_expired", "The batch expired before this job was done.")
    return Step(ended, Outcome.APPLIED)


def marked_failed(case: Case, event: MarkedFailed, moment: Moment) -> Step:
    """m: any open state -> failed. As after any failure, an answer that comes yet completes the job."""
    if not case.job.is_open:
        return Step(case, Outcome.LATE)
    case = close_open(case, AttemptState.CANCELLED, moment)
    return Step(ends(case, JobState.FAILED, moment, "marked_failed", event.reason), Outcome.APPLIED)


def retried(case: Case, event: Retried, moment: Moment) -> Step:
    """j: failed, cancelled -> queued; not one that was never to be submitted."""
    job = case.job
    if job.state not in (JobState.FAILED, JobState.CANCELLED) or not job.max_attempts:
        return Step(case, Outcome.LATE)
    case = queues(case, moment.now).with_job(
        max_attempts=job.attempts + event.more_attempts,
        error_code=None,
        error_message=None,
        finished_at=None,
        suspect=False,
    )
    return Step(case, Outcome.APPLIED)
