"""The moves by what the provider says of a task: answered, failed, still running."""

from datetime import datetime
from uuid import UUID

from app.ids import show
from app.states import Attempt, AttemptState, Case, JobState, Outcome
from app.transitions.events import Answered, AnsweredByHand, Matched, Salvaged, StillRunning, TaskFailed
from app.transitions.steps import Moment, Step, again_or_failed, close, close_open, ends, holds, survived


def answered(case: Case, event: Answered, moment: Moment) -> Step:
    """f: the first valid result of any attempt wins, whatever that attempt's state."""
    if _contradicts(case, event):
        return Step(case, Outcome.CONFLICT)
    case = _told(case, event)
    if case.job.state in (JobState.COMPLETED, JobState.CANCELLED):
        return Step(case, Outcome.LATE)
    return Step(_completes(case, event.attempt_id, moment.now), Outcome.APPLIED)


def salvaged(case: Case, event: Salvaged, moment: Moment) -> Step:
    """j: failed, cancelled -> completed, by a result that is stored already."""
    if case.job.state not in (JobState.FAILED, JobState.CANCELLED):
        return Step(case, Outcome.LATE)
    if event.cost_nano is not None:
        case = case.with_attempt(event.attempt_id, cost_nano=event.cost_nano)
    return Step(_completes(case, event.attempt_id, moment.now), Outcome.APPLIED)


def matched(case: Case, event: Matched, moment: Moment) -> Step:
    """m: any but completed -> completed, by a stored answer that an operator says is this job's."""
    if case.job.state is JobState.COMPLETED:
        return Step(case, Outcome.LATE)
    if event.attempt_id not in case.attempts:
        case = _with_lost_attempt(case, event, moment.now)
    if event.cost_nano is not None:
        case = case.with_attempt(event.attempt_id, cost_nano=event.cost_nano)
    return Step(_completes(case, event.attempt_id, moment.now), Outcome.APPLIED)


def answered_by_hand(case: Case, event: AnsweredByHand, moment: Moment) -> Step:
    """m: any but completed -> completed, by an answer that somebody wrote. None of its attempts won, so none is paid
    for usefully, and what still comes for one is late."""
    if case.job.state is JobState.COMPLETED:
        return Step(case, Outcome.LATE)
    case = close_open(case, AttemptState.SUPERSEDED, moment)
    return Step(ends(case, JobState.COMPLETED, moment, None, None), Outcome.APPLIED)


def task_failed(case: Case, event: TaskFailed, moment: Moment) -> Step:
    """e or g: a failure counts only for the current attempt; an earlier one's changes nothing."""
    if _contradicts(case, event):
        return Step(case, Outcome.CONFLICT)
    case = _told(case, event)
    attempt = case.attempts[event.attempt_id]
    if not holds(case, attempt, AttemptState.SUBMITTING, AttemptState.WAITING, AttemptState.UNKNOWN):
        return Step(case, Outcome.LATE)
    case = close(case, attempt.id, AttemptState.FAILED, moment, event.code, event.message)
    case = survived(case) if event.sent_at else case
    if event.is_retryable:
        return Step(again_or_failed(case, moment, event.code, event.message), Outcome.APPLIED)
    case = case.with_attempt(attempt.id, is_permanent=True)
    return Step(ends(case, JobState.FAILED, moment, event.code, event.message), Outcome.APPLIED)


def still_running(case: Case, event: StillRunning, moment: Moment) -> Step:
    """The provider still works on an overdue task: it gets one more time-out, then it is overdue for good."""
    attempt = case.attempts[event.attempt_id]
    if not holds(case, attempt, AttemptState.WAITING) or attempt.had_more_time:
        return Step(case, Outcome.LATE)
    case = case.with_attempt(attempt.id, had_more_time=True)
    return Step(case.with_job(due_at=moment.callback_due(attempt.provider)), Outcome.APPLIED)


def _with_lost_attempt(case: Case, event: Matched, now: datetime) -> Case:
    """The submit that this database doesn't know was made and paid for, so it counts like any other."""
    job, number = case.job, case.job.last_number + 1
    lost = Attempt(event.attempt_id, number, job.provider, AttemptState.WAITING, now, provider_task_id=event.task_id)
    case = Case(job, {**case.attempts, lost.id: lost})
    current = job.current_attempt_id or lost.id
    return case.with_job(attempts=job.attempts + 1, last_number=number, current_attempt_id=current)


def _completes(case: Case, attempt_id: UUID, now: datetime) -> Case:
    """The job is completed by a result of this attempt; open siblings are superseded."""
    if case.attempts[attempt_id].state is AttemptState.REFUSED:
        case = case.with_job(attempts=case.job.attempts + 1)  # it was accepted after all, so it counts after all
    for sibling in case.attempts.values():
        if sibling.is_open and sibling.id != attempt_id:
            case = case.with_attempt(sibling.id, state=AttemptState.SUPERSEDED, finished_at=now)
    case = case.with_attempt(
        attempt_id, state=AttemptState.COMPLETED, finished_at=now, error_code=None, error_message=None
    )
    return case.with_job(
        state=JobState.COMPLETED, due_at=None, finished_at=now, error_code=None, error_message=None, suspect=False
    )


def _contradicts(case: Case, event: Answered | TaskFailed) -> bool:
    """A body that names another task or another job than its token is never guessed about."""
    known_task_id = case.attempts[event.attempt_id].provider_task_id
    other_task = len({*event.task_ids, *([known_task_id] if known_task_id else [])}) > 1
    other_job = event.metadata is not None and event.metadata != show("job", case.job.id)
    return other_task or other_job


def _told(case: Case, event: Answered | TaskFailed) -> Case:
    """Keep what a result tells of its attempt, whether or not the job still needs it."""
    attempt = case.attempts[event.attempt_id]
    return case.with_attempt(
        attempt.id,
        provider_task_id=attempt.provider_task_id or next(iter(event.task_ids), None),
        cost_nano=attempt.cost_nano if event.cost_nano is None else event.cost_nano,
        sent_at=attempt.sent_at or event.sent_at,
        http_status=attempt.http_status if event.http_status is None else event.http_status,
    )
