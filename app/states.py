"""The states of jobs, attempts and deliveries: what each means, and what a decision about one needs to know.

The records are named tuples: every callback changes some, and a dataclass takes three times as long to copy.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID


class JobState(StrEnum):
    """Where a job is. Each open state has one alarm, `due_at`."""

    QUEUED = "queued"  # may be claimed from `due_at` on
    SUBMITTING = "submitting"  # a worker holds it until the lease ends at `due_at`
    WAITING = "waiting"  # the provider has it, or may have it; its callback is overdue at `due_at`
    COMPLETED = "completed"  # exactly one result is stored; never left again
    FAILED = "failed"  # given up, with a reason; a late result or a retry still changes it
    CANCELLED = "cancelled"  # ended by its owner; only a retry changes it


class AttemptState(StrEnum):
    """Where one submit is. `numbers` are counted per job, without gaps."""

    SUBMITTING = "submitting"  # committed before the POST leaves
    WAITING = "waiting"  # the provider accepted it
    UNKNOWN = "unknown"  # it may have been accepted, and billed
    COMPLETED = "completed"  # its result is the job's result
    FAILED = "failed"  # the provider refused it for good, or its task failed
    TIMED_OUT = "timed_out"  # no callback in time
    REFUSED = "refused"  # certainly not accepted; does not count
    CANCELLED = "cancelled"  # its job was cancelled meanwhile, or given up by an operator
    SUPERSEDED = "superseded"  # another result came first


OPEN_JOB_STATES = (JobState.QUEUED, JobState.SUBMITTING, JobState.WAITING)
OPEN_ATTEMPT_STATES = (AttemptState.SUBMITTING, AttemptState.WAITING, AttemptState.UNKNOWN)
MAYBE_ANSWERED_STATES = (
    AttemptState.WAITING,
    AttemptState.UNKNOWN,
    AttemptState.COMPLETED,
    AttemptState.TIMED_OUT,
    AttemptState.CANCELLED,
    AttemptState.SUPERSEDED,
)
"""Attempts for which the provider may have made, and billed, an answer."""


class Outcome(StrEnum):
    """What an event did: also what became of a callback."""

    APPLIED = "applied"
    LATE = "late"  # true, but the job no longer needs it
    CONFLICT = "conflict"  # contradicts what is known; a person has to look
    INVALID = "invalid"  # nobody can read it
    ORPHAN = "orphan"  # authentic, but its attempt isn't here


class EventType(StrEnum):
    """What a submitter can be told of a batch. The first four are its ends; they are written whoever listens."""

    COMPLETED = "batch.completed"
    FAILED = "batch.failed"
    EXPIRED = "batch.expired"
    CANCELLED = "batch.cancelled"
    REVISED = "batch.revised"  # an answer came after the end
    PROGRESS = "batch.progress"  # a quarter, half, three quarters of its jobs have ended
    FIRST_FAILURE = "batch.first_failure"
    PAUSED = "batch.paused"  # by hand, or as its budget is spent


END_EVENTS = (EventType.COMPLETED, EventType.FAILED, EventType.EXPIRED, EventType.CANCELLED)


class DeliveryState(StrEnum):
    """Where an event is on its way to one endpoint."""

    PENDING = "pending"  # is tried at `due_at`, or being tried until then
    DELIVERED = "delivered"  # the receiver answered 2xx
    FAILED = "failed"  # given up; somebody may have it sent again


class Attempt(NamedTuple):
    """One submit of a job."""

    id: UUID
    number: int
    provider: str
    state: AttemptState
    created_at: datetime
    provider_task_id: str | None = None
    sent_at: datetime | None = None
    acked_at: datetime | None = None
    finished_at: datetime | None = None
    http_status: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    cost_nano: int | None = None
    had_more_time: bool = False  # its deadline was put off once, as the provider was still at it
    is_permanent: bool | None = False  # it failed for good; None: a version before did not say

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_ATTEMPT_STATES


class Scope(StrEnum):
    """What an API key is for: seeing what its owner has, and changing it."""

    READ = "read"
    WRITE = "write"


class Job(NamedTuple):
    """What moves of a job. `attempts` counts the submits that may have reached the provider, `last_number` all."""

    id: UUID
    batch_id: UUID
    provider: str
    state: JobState
    due_at: datetime | None
    current_attempt_id: UUID | None = None
    attempts: int = 0
    last_number: int = 0
    max_attempts: int = 1
    suspect: bool = False  # its last worker may have died of it
    error_code: str | None = None
    error_message: str | None = None
    finished_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_JOB_STATES


class Case(NamedTuple):
    """A job with all of its attempts: what a decision needs to know."""

    job: Job
    attempts: Mapping[UUID, Attempt]

    def with_job(self, **changes: object) -> "Case":
        return Case(self.job._replace(**changes), self.attempts)  # type: ignore[arg-type]  # _replace() checks the names

    def with_attempt(self, attempt_id: UUID, **changes: object) -> "Case":
        changed = self.attempts[attempt_id]._replace(**changes)  # type: ignore[arg-type]  # as above
        return Case(self.job, {**self.attempts, attempt_id: changed})
