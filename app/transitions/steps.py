"""What the moves share: when they happen, what they end in, and the small steps that they are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.retry import Timing
from app.states import Attempt, AttemptState, Case, JobState, Outcome


@dataclass(frozen=True, slots=True)
class Step:
    """The case after an event, and what the event did to it."""

    case: Case
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Moment:
    """When it happens, and how long things may take, at each provider where they differ.

    `learned`: callback time-outs in seconds, by provider; they stand above its `timings`.
    """

    now: datetime
    timing: Timing
    timings: Mapping[str, Timing] = field(default_factory=dict)
    learned: Mapping[str, float] = field(default_factory=dict)

    def timing_of(self, provider: str) -> Timing:
        """How long things may take at this provider."""
        return self.timings.get(provider, self.timing)

    def callback_due(self, provider: str, since: datetime | None = None) -> datetime:
        """When a task that this provider accepted then, or now, times out."""
        return self.timing_of(provider).callback_due(since or self.now, self.learned.get(provider))


def holds(case: Case, attempt: Attempt, *states: AttemptState) -> bool:
    """The fence: only the job's current attempt, while open, may move the job."""
    return case.job.is_open and case.job.current_attempt_id == attempt.id and attempt.state in states


def survived(case: Case) -> Case:
    """Its worker lived to tell: the job is not what kills workers."""
    return case.with_job(suspect=False)


def waits(case: Case, due_at: datetime) -> Case:
    return case.with_job(state=JobState.WAITING, due_at=due_at)


def queues(case: Case, due_at: datetime) -> Case:
    return case.with_job(state=JobState.QUEUED, due_at=due_at)


def ends(case: Case, state: JobState, moment: Moment, code: str | None, message: str | None) -> Case:
    return case.with_job(
        state=state, due_at=None, finished_at=moment.now, error_code=code, error_message=message, suspect=False
    )


def again_or_failed(case: Case, moment: Moment, code: str, message: str) -> Case:
    """e while attempts are left, else g."""
    job = case.job
    if job.attempts >= job.max_attempts:
        return ends(case, JobState.FAILED, moment, code, message)
    seed = job.current_attempt_id or job.id
    queued = queues(case, moment.timing.backoff_until(moment.now, job.attempts, seed))
    return queued.with_job(error_code=code, error_message=message)


def close(case: Case, attempt_id: UUID, state: AttemptState, moment: Moment, code: str, message: str) -> Case:
    return case.with_attempt(attempt_id, state=state, finished_at=moment.now, error_code=code, error_message=message)


def close_open(case: Case, state: AttemptState, moment: Moment) -> Case:
    for attempt in case.attempts.values():
        if attempt.is_open:
            case = case.with_attempt(attempt.id, state=state, finished_at=moment.now)
    return case
