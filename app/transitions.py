"""The one pure function that moves jobs and attempts. The letters are those of docs/states.md."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.ids import show
from app.retry import Timing
from app.states import Attempt, AttemptState, Case, Job, JobState, Outcome

# --- what can happen ---


@dataclass(frozen=True, slots=True)
class Claimed:
    """A worker takes the job: the attempt exists before the provider hears of it."""

    attempt_id: UUID


@dataclass(frozen=True, slots=True)
class Acked:
    """The provider accepted the submit."""

    attempt_id: UUID
    task_id: str | None
    sent_at: datetime
    http_status: int


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """The submit may have been accepted. `sent_at` is None when the worker vanished with the answer."""

    attempt_id: UUID
    code: str
    message: str
    sent_at: datetime | None = None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The submit certainly was not accepted, and the job is not to blame; it may go again at `retry_at`.

    `was_tried` False: the worker gave it back unsent.
    """

    attempt_id: UUID
    code: str
    message: str
    retry_at: datetime
    http_status: int | None = None
    was_tried: bool = True


@dataclass(frozen=True, slots=True)
class Rejected:
    """The provider will never accept this job."""

    attempt_id: UUID
    code: str
    message: str
    sent_at: datetime
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The provider delivered a valid result for an attempt."""

    attempt_id: UUID
    task_id: str | None = None
    metadata: str | None = None
    cost_nano: int | None = None


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """The provider said that the task of an attempt failed, or that it succeeded with nothing that we can read."""

    attempt_id: UUID
    code: str
    message: str
    is_retryable: bool
    task_id: str | None = None
    metadata: str | None = None
    cost_nano: int | None = None


@dataclass(frozen=True, slots=True)
class StillRunning:
    """The provider, asked about an overdue task, has it and is not done."""

    attempt_id: UUID


@dataclass(frozen=True, slots=True)
class AlarmRang:
    """`due_at` has passed: the lease ended, or the callback is overdue."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The owner wants no more of it."""


@dataclass(frozen=True, slots=True)
class Expired:
    """The batch has run out of time."""


@dataclass(frozen=True, slots=True)
class Retried:
    """The owner wants it tried again, up to `more_attempts` more times."""

    more_attempts: int


@dataclass(frozen=True, slots=True)
class Salvaged:
    """A stored result of an attempt turned out to be good for a job that is over."""

    attempt_id: UUID
    cost_nano: int | None = None


Event = (
    Claimed
    | Acked
    | OutcomeUnknown
    | Refused
    | Rejected
    | Answered
    | TaskFailed
    | StillRunning
    | AlarmRang
    | Cancelled
    | Expired
    | Retried
    | Salvaged
)

# --- what it does ---


@dataclass(frozen=True, slots=True)
class Step:
    """The case after an event, and what the event did to it."""

    case: Case
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Moment:
    """When it happens, and how long things may take."""

    now: datetime
    timing: Timing


def transition(case: Case, event: Event, moment: Moment) -> Step:
    """What `event` makes of `case`.

    Pure. An event that the case has no use for any more is `late`: it still leaves what it tells about its own
    attempt (task id, cost), and moves nothing else.
    """
    move: Callable[[Case, Event, Moment], Step] = _MOVES[type(event)]
    return move(case, event, moment)


def _claimed(case: Case, event: Claimed, moment: Moment) -> Step:
    """b: queued -> submitting."""
    job = case.job
    if job.state is not JobState.QUEUED:
        return Step(case, Outcome.LATE)
    attempt = Attempt(
        event.attempt_id, job.last_number + 1, job.provider, AttemptState.SUBMITTING, created_at=moment.now
    )
    claimed = Case(job, {**case.attempts, attempt.id: attempt}).with_job(
        state=JobState.SUBMITTING,
        due_at=moment.timing.lease_until(moment.now),
        current_attempt_id=attempt.id,
        attempts=job.attempts + 1,
        last_number=attempt.number,
    )
    return Step(claimed, Outcome.APPLIED)


def _acked(case: Case, event: Acked, moment: Moment) -> Step:
    """c: submitting -> waiting. Also after the lease ran out, as long as the attempt is still open."""
    attempt = case.attempts[event.attempt_id]
    case = case.with_attempt(
        attempt.id,
        provider_task_id=attempt.provider_task_id or event.task_id,
        sent_at=attempt.sent_at or event.sent_at,
        acked_at=moment.now,
        http_status=event.http_status,
    )
    if not _holds(case, attempt, AttemptState.SUBMITTING, AttemptState.UNKNOWN):
        return Step(case, Outcome.LATE)
    case = case.with_attempt(attempt.id, state=AttemptState.WAITING, error_code=None, error_message=None)
    return Step(_survived(_waits(case, moment.timing.callback_due(moment.now))), Outcome.APPLIED)


def _outcome_unknown(case: Case, event: OutcomeUnknown, moment: Moment) -> Step:
    """d: submitting -> waiting, for a grace time in which a callback may still come."""
    attempt = case.attempts[event.attempt_id]
    case = case.with_attempt(attempt.id, sent_at=attempt.sent_at or event.sent_at, http_status=event.http_status)
    if not _holds(case, attempt, AttemptState.SUBMITTING):
        return Step(case, Outcome.LATE)
    case = case.with_attempt(attempt.id, state=AttemptState.UNKNOWN, error_code=event.code, error_message=event.message)
    case = _waits(case, moment.timing.grace_until(moment.now))
    return Step(_survived(case) if event.sent_at else case, Outcome.APPLIED)


def _refused(case: Case, event: Refused, moment: Moment) -> Step:
    """k: submitting -> queued. The attempt keeps its number and does not count.

    After its lease ran out (`unknown`) the news that nothing was accepted is as good.
    """
    attempt = case.attempts[event.attempt_id]
    if not _holds(case, attempt, AttemptState.SUBMITTING, AttemptState.UNKNOWN):
        return Step(case, Outcome.LATE)
    case = _close(case, attempt.id, AttemptState.REFUSED, moment, event.code, event.message)
    case = case.with_attempt(attempt.id, http_status=event.http_status)
    case = _queues(case, event.retry_at).with_job(attempts=case.job.attempts - 1)
    return Step(_survived(case) if event.was_tried else case, Outcome.APPLIED)


def _rejected(case: Case, event: Rejected, moment: Moment) -> Step:
    """g: submitting -> failed."""
    attempt = case.attempts[event.attempt_id]
    case = case.with_attempt(attempt.id, sent_at=event.sent_at, http_status=event.http_status)
    if not _holds(case, attempt, AttemptState.SUBMITTING, AttemptState.UNKNOWN):
        return Step(case, Outcome.LATE)
    case = _close(case, attempt.id, AttemptState.FAILED, moment, event.code, event.message)
    return Step(_ends(case, JobState.FAILED, moment, event.code, event.message), Outcome.APPLIED)


def _answered(case: Case, event: Answered, moment: Moment) -> Step:
    """f: the first valid result of any attempt wins, whatever that attempt's state."""
    if _contradicts(case, event):
        return Step(case, Outcome.CONFLICT)
    case = _told(case, event)
    if case.job.state in (JobState.COMPLETED, JobState.CANCELLED):
        return Step(case, Outcome.LATE)
    return Step(_completes(case, event.attempt_id, moment.now), Outcome.APPLIED)


def _salvaged(case: Case, event: Salvaged, moment: Moment) -> Step:
    """j: failed, cancelled -> completed, by a result that is stored already."""
    if case.job.state not in (JobState.FAILED, JobState.CANCELLED):
        return Step(case, Outcome.LATE)
    if event.cost_nano is not None:
        case = case.with_attempt(event.attempt_id, cost_nano=event.cost_nano)
    return Step(_completes(case, event.attempt_id, moment.now), Outcome.APPLIED)


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


def _task_failed(case: Case, event: TaskFailed, moment: Moment) -> Step:
    """e or g: a failure counts only for the current attempt; an earlier one's changes nothing."""
    if _contradicts(case, event):
        return Step(case, Outcome.CONFLICT)
    case = _told(case, event)
    attempt = case.attempts[event.attempt_id]
    if not _holds(case, attempt, AttemptState.SUBMITTING, AttemptState.WAITING, AttemptState.UNKNOWN):
        return Step(case, Outcome.LATE)
    case = _close(case, attempt.id, AttemptState.FAILED, moment, event.code, event.message)
    if event.is_retryable:
        return Step(_again_or_failed(case, moment, event.code, event.message), Outcome.APPLIED)
    return Step(_ends(case, JobState.FAILED, moment, event.code, event.message), Outcome.APPLIED)


def _still_running(case: Case, event: StillRunning, moment: Moment) -> Step:
    """The provider still works on an overdue task: it gets one more time-out, then it is overdue for good."""
    attempt = case.attempts[event.attempt_id]
    if not _holds(case, attempt, AttemptState.WAITING) or _had_more_time(case.job, attempt, moment.timing):
        return Step(case, Outcome.LATE)
    return Step(case.with_job(due_at=moment.timing.callback_due(moment.now)), Outcome.APPLIED)


def _had_more_time(job: Job, attempt: Attempt, timing: Timing) -> bool:
    """Whether the deadline was moved before. The clock doesn't tell: the sweep itself may have been late."""
    first_due_at = timing.callback_due(attempt.acked_at or attempt.created_at)
    return job.due_at is not None and job.due_at > first_due_at


def _alarm_rang(case: Case, event: AlarmRang, moment: Moment) -> Step:
    """d, e or g: the lease or the deadline has passed."""
    job = case.job
    attempt = case.attempts.get(job.current_attempt_id) if job.current_attempt_id else None
    if job.due_at is None or job.due_at > moment.now or attempt is None or not attempt.is_open:
        return Step(case, Outcome.LATE)
    if job.state is JobState.SUBMITTING:
        # A crash after the POST looks the same from here as one before it, so it must be taken as sent.
        lost = OutcomeUnknown(attempt.id, "lease_expired", "The worker that was to submit it did not come back.")
        step = _outcome_unknown(case, lost, moment)
        return Step(step.case.with_job(suspect=True), Outcome.APPLIED)
    code, message = "timed_out", "No callback came in time."
    case = _close(case, attempt.id, AttemptState.TIMED_OUT, moment, attempt.error_code or code, message)
    return Step(_again_or_failed(case, moment, code, message), Outcome.APPLIED)


def _cancelled(case: Case, event: Cancelled, moment: Moment) -> Step:
    """h: any open state -> cancelled."""
    if not case.job.is_open:
        return Step(case, Outcome.LATE)
    case = _close_open(case, AttemptState.CANCELLED, moment)
    return Step(_ends(case, JobState.CANCELLED, moment, None, None), Outcome.APPLIED)


def _expired(case: Case, event: Expired, moment: Moment) -> Step:
    """i: any open state -> failed."""
    if not case.job.is_open:
        return Step(case, Outcome.LATE)
    case = _close_open(case, AttemptState.TIMED_OUT, moment)
    ended = _ends(case, JobState.FAILED, moment, "batch_expired", "The batch expired before this job was done.")
    return Step(ended, Outcome.APPLIED)


def _retried(case: Case, event: Retried, moment: Moment) -> Step:
    """j: failed, cancelled -> queued."""
    job = case.job
    if job.state not in (JobState.FAILED, JobState.CANCELLED):
        return Step(case, Outcome.LATE)
    case = _queues(case, moment.now).with_job(
        max_attempts=job.attempts + event.more_attempts,
        error_code=None,
        error_message=None,
        finished_at=None,
        suspect=False,
    )
    return Step(case, Outcome.APPLIED)


_MOVES: dict[type, Callable[..., Step]] = {
    Claimed: _claimed,
    Acked: _acked,
    OutcomeUnknown: _outcome_unknown,
    Refused: _refused,
    Rejected: _rejected,
    Answered: _answered,
    TaskFailed: _task_failed,
    StillRunning: _still_running,
    AlarmRang: _alarm_rang,
    Cancelled: _cancelled,
    Expired: _expired,
    Retried: _retried,
    Salvaged: _salvaged,
}

# --- the steps that the moves share ---


def _holds(case: Case, attempt: Attempt, *states: AttemptState) -> bool:
    """The fence: only the job's current attempt, while open, may move the job."""
    return case.job.is_open and case.job.current_attempt_id == attempt.id and attempt.state in states


def _contradicts(case: Case, event: Answered | TaskFailed) -> bool:
    """A body that names another task or another job than its token is never guessed about."""
    known_task_id = case.attempts[event.attempt_id].provider_task_id
    other_task = known_task_id is not None and event.task_id is not None and known_task_id != event.task_id
    other_job = event.metadata is not None and event.metadata != show("job", case.job.id)
    return other_task or other_job


def _told(case: Case, event: Answered | TaskFailed) -> Case:
    """Keep what a result tells of its attempt, whether or not the job still needs it."""
    attempt = case.attempts[event.attempt_id]
    return case.with_attempt(
        attempt.id,
        provider_task_id=attempt.provider_task_id or event.task_id,
        cost_nano=attempt.cost_nano if event.cost_nano is None else event.cost_nano,
    )


def _survived(case: Case) -> Case:
    """Its worker lived to tell: the job is not what kills workers."""
    return case.with_job(suspect=False)


def _waits(case: Case, due_at: datetime) -> Case:
    return case.with_job(state=JobState.WAITING, due_at=due_at)


def _queues(case: Case, due_at: datetime) -> Case:
    return case.with_job(state=JobState.QUEUED, due_at=due_at)


def _ends(case: Case, state: JobState, moment: Moment, code: str | None, message: str | None) -> Case:
    return case.with_job(
        state=state, due_at=None, finished_at=moment.now, error_code=code, error_message=message, suspect=False
    )


def _again_or_failed(case: Case, moment: Moment, code: str, message: str) -> Case:
    """e while attempts are left, else g."""
    job = case.job
    if job.attempts >= job.max_attempts:
        return _ends(case, JobState.FAILED, moment, code, message)
    seed = job.current_attempt_id or job.id
    queued = _queues(case, moment.timing.backoff_until(moment.now, job.attempts, seed))
    return queued.with_job(error_code=code, error_message=message)


def _close(case: Case, attempt_id: UUID, state: AttemptState, moment: Moment, code: str, message: str) -> Case:
    return case.with_attempt(attempt_id, state=state, finished_at=moment.now, error_code=code, error_message=message)


def _close_open(case: Case, state: AttemptState, moment: Moment) -> Case:
    for attempt in case.attempts.values():
        if attempt.is_open:
            case = case.with_attempt(attempt.id, state=state, finished_at=moment.now)
    return case
