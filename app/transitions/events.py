"""What can happen to a job."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Claimed:
    """A worker takes the job for a provider: the attempt exists before that hears of it."""

    attempt_id: UUID
    provider: str


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
    """The provider delivered a valid result for an attempt; `sent_at`: in its answer to the submit itself."""

    attempt_id: UUID
    task_ids: tuple[str, ...] = ()
    metadata: str | None = None
    cost_nano: int | None = None
    sent_at: datetime | None = None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """The provider said that the task of an attempt failed, or that it succeeded with nothing that we can read.

    `sent_at` as in `Answered`.
    """

    attempt_id: UUID
    code: str
    message: str
    is_retryable: bool
    task_ids: tuple[str, ...] = ()
    metadata: str | None = None
    cost_nano: int | None = None
    sent_at: datetime | None = None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class StillRunning:
    """The provider, asked about an overdue task, has it and is not done."""

    attempt_id: UUID


@dataclass(frozen=True, slots=True)
class AlarmRang:
    """An alarm has passed: the lease ended, or the callback is overdue.

    `due_at` is the one that was seen; whoever was slow to tell must not give up what has another by now. None: any.
    """

    due_at: datetime | None = None


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


@dataclass(frozen=True, slots=True)
class Matched:
    """An operator says that a stored answer is this job's. Its attempt may be one that this database never heard of."""

    attempt_id: UUID
    task_id: str | None = None
    cost_nano: int | None = None


@dataclass(frozen=True, slots=True)
class AnsweredByHand:
    """An operator has written the answer: no attempt's, so whatever the attempts are at is not waited for."""


@dataclass(frozen=True, slots=True)
class MarkedFailed:
    """An operator gives the job up, and says why."""

    reason: str


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
    | Matched
    | AnsweredByHand
    | MarkedFailed
)
