"""What the services take and return: plain values, free of the database and of the web."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

from app.errors import Problem
from app.states import Scope

T = TypeVar("T")

EndStatus = Literal["failed", "cancelled", "expired", "completed"]
BatchStatus = Literal["failed", "cancelled", "expired", "completed", "cancelling", "paused", "in_progress"]
ResultKind = Literal["output", "errors"]


class NewJob(NamedTuple):
    """A validated job as it will be stored. `options` are its own; the batch's defaults stand behind them.

    A tuple, because a batch has tens of thousands on their way through the spool.
    `line` (1-based) and `pointer` (JSON pointer of the job) say where it stood, for problems that only show later.
    `fault` is why the job can't be submitted: it is stored as failed, beside the others of its batch.
    """

    custom_id: str
    text_data: str
    options: Mapping[str, object]
    line: int | None = None
    pointer: str = ""
    fault: Problem | None = None


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that can't become a job, and everything that is wrong with it."""

    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A validated batch without its jobs. Durations in seconds; None takes the setting.

    Without a `provider` the model in its options, or in those of its first job, says where it goes; while that is out
    of order, its queued jobs go to the `fallback_provider`. `input_file_id` is what the submitter called the file that
    the jobs were read from; `files_lifetime_seconds` is how long its result files are to be had after its end, None: as
    long as the batch. `webhook_url` is told of its end, beside the endpoints that hear of every batch. For
    the first `head_start_seconds` nobody claims its jobs who doesn't ask for them by their ids.
    """

    owner: str
    name: str | None = None
    provider: str | None = None
    fallback_provider: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    max_attempts: int | None = None
    expires_in_seconds: float | None = None
    skip_invalid: bool = False
    budget: Decimal | None = None
    idempotency_key: str | None = None
    request_sha256: str | None = None
    input_file_id: str | None = None
    files_lifetime_seconds: int | None = None
    webhook_url: str | None = None
    problems_kept: int = 100
    head_start_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class NewFile:
    """What is known of a file before its bytes. `lifetime_seconds` None: until it is deleted."""

    owner: str
    filename: str
    purpose: str
    lifetime_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class FileView:
    """A file, uploaded or of a batch's results, as its owner sees it; `id` as it is shown.

    `bytes` is None for results in a list: to know it, they would have to be read.
    """

    id: str
    filename: str
    purpose: str
    bytes: int | None
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class UsageView:
    """The tokens that the answers of a batch took, `told` of how many answers; `model` if all asked for the same."""

    model: str | None
    told: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int


@dataclass(frozen=True, slots=True)
class FileLine:
    """One line of a result file: a job that has ended, what it asked for and what it got.

    `http_status` is what the provider answered to the job's last submit, if it did.
    """

    job_id: UUID
    custom_id: str
    state: str
    model: str | None
    finished_at: datetime
    text: str | None
    details: Mapping[str, object]
    error_code: str | None
    error_message: str | None
    http_status: int | None


@dataclass(frozen=True, slots=True)
class ResultFile:
    """The lines of a result file from behind the first `offset`; `last_line` is the number of its last one, from 1.

    `is_complete`: the batch had ended when the file was opened.
    """

    is_complete: bool
    last_line: int
    lines: Iterator[FileLine]


@dataclass(frozen=True, slots=True)
class HoldView:
    """Why nothing is submitted to a provider or from a batch. `ends` says what ends it."""

    scope: str
    scope_id: str
    reason: str
    message: str
    since: datetime
    until: datetime | None
    placed_by: str
    ends: str


@dataclass(frozen=True, slots=True)
class ReasonView:
    """Why `jobs` open jobs wait: `until` when, if that is known, and what `ends` it.

    For several jobs `since` is when the first began to wait, and `until` when the first need not any more.
    `is_at_least`: there may be more of them, as only so many are looked at.
    """

    code: str
    message: str
    jobs: int
    since: datetime | None
    until: datetime | None
    ends: str
    expected_by: datetime | None = None
    is_at_least: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """Between when and when something is expected."""

    earliest: datetime
    latest: datetime


@dataclass(frozen=True, slots=True)
class CostsView:
    """What a batch has cost, in the provider's currency, by what it was good for; together they are all of it."""

    useful: Decimal
    late: Decimal
    duplicate: Decimal
    failed: Decimal


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch as its owner sees it. `counts` names every job state; `cost` is in the provider's currency.

    `retries` counts submits beyond each job's first, `late` results that came after their attempt was given up or the
    job was over, `duplicates` callbacks beyond the first of the same body, `read_back` tasks that were asked for
    instead of paid for again, `possibly_doubled` submits beyond a job's first for which it may have been billed again,
    `overdue` waiting jobs whose callback should have come by now. `expected_end` is None if nobody can say. `holds` are
    those on the batch itself, not on its provider. `deleted_files` are its result files that its owner has deleted.
    """

    id: UUID
    owner: str
    name: str | None
    provider: str
    fallback_provider: str | None
    status: BatchStatus
    options: Mapping[str, object]
    metadata: Mapping[str, str]
    total: int
    counts: Mapping[str, int]
    round: int
    max_attempts: int
    retries: int
    late: int
    duplicates: int
    read_back: int
    possibly_doubled: int
    overdue: int
    cost: Decimal
    costs: CostsView
    budget: Decimal | None
    line_errors: tuple[Problem, ...]
    line_errors_total: int
    oldest_open_job_at: datetime | None
    created_at: datetime
    expires_at: datetime
    expected_end: Span | None
    cancel_requested_at: datetime | None
    finalized_at: datetime | None
    holds: tuple[HoldView, ...]
    input_file_id: str | None = None
    deleted_files: frozenset[ResultKind] = frozenset()
    files_expire_at: datetime | None = None
    webhook_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """A batch that is stored. `is_replay`: it was stored before, by the same request."""

    batch: BatchView
    is_replay: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """What a batch would be: its provider, how many jobs it has, the first of them, and what is wrong with the rest."""

    provider: str
    total: int
    first: tuple[NewJob, ...]
    problems: tuple[Problem, ...]
    problems_total: int


@dataclass(frozen=True, slots=True)
class JobView:
    """A job without its texts. `expected_by`: when its callback should have come, None if it waits for none, or nobody
    can say; after that it `is_overdue`."""

    id: UUID
    batch_id: UUID
    position: int
    custom_id: str
    state: str
    attempts: int
    max_attempts: int
    due_at: datetime | None
    error_code: str | None
    error_message: str | None
    created_at: datetime
    finished_at: datetime | None
    expected_by: datetime | None = None
    is_overdue: bool = False


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One submit. `cost` in the provider's currency, None while unknown."""

    id: UUID
    number: int
    state: str
    provider: str
    provider_task_id: str | None
    created_at: datetime
    sent_at: datetime | None
    acked_at: datetime | None
    finished_at: datetime | None
    http_status: int | None
    error_code: str | None
    error_message: str | None
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class CallbackView:
    """One body that the provider sent, without the body."""

    id: UUID
    attempt_id: UUID | None
    source: str
    outcome: str
    detail: str | None
    times: int
    bytes: int
    sha256: str
    received_at: datetime
    last_received_at: datetime


@dataclass(frozen=True, slots=True)
class OrphanView:
    """A body that belongs to no job here. `rematch_at`: when its attempt is looked for again, None: not any more.

    Without a token it may be anybody's; `batch_id` is then the batch of the job that it names.
    """

    id: UUID
    provider: str
    has_token: bool
    batch_id: UUID
    times: int
    bytes: int
    sha256: str
    detail: str | None
    received_at: datetime
    last_received_at: datetime
    rematch_at: datetime | None


@dataclass(frozen=True, slots=True)
class ResultView:
    """A job's answer. `details` may hold `model`, `finish_reason`, `usage`, `from_cache`."""

    text: str
    source: str
    details: Mapping[str, object]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class JobDetail:
    """A job with everything that is known of it."""

    job: JobView
    text_data: str
    options: Mapping[str, object]
    result: ResultView | None
    attempts: tuple[AttemptView, ...]
    callbacks: tuple[CallbackView, ...]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; `next_cursor` is None on the last."""

    items: tuple[T, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class ResultLine:
    """One job in a result stream, in input order."""

    job: JobView
    result: ResultView | None


@dataclass(frozen=True, slots=True)
class ResultStream:
    """The results of a batch so far. `is_complete`: no job was open when the stream began."""

    is_complete: bool
    lines: Iterator[ResultLine]


@dataclass(frozen=True, slots=True)
class RetryReport:
    """What a retry did: `queued` jobs will be submitted again, `salvaged` ones took a stored late result for free."""

    queued: int
    salvaged: int


@dataclass(frozen=True, slots=True)
class ReparseReport:
    """What a reparse did: how many jobs had no recognised text, and how many of them are completed by now."""

    read: int
    completed: int


@dataclass(frozen=True, slots=True)
class KeyView:
    """An API key without its secret. `last_used_at` to the minute; a `revoked_at` ahead: until then it still opens."""

    id: UUID
    owner: str
    name: str
    scopes: tuple[Scope, ...]
    hint: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; `secret` is shown this once."""

    key: KeyView
    secret: str


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker that has swept lately. `stands_aside`: its clock is too far off, so it claims and sweeps nothing."""

    worker: str
    started_at: datetime
    swept_at: datetime
    clock_off_seconds: float | None
    stands_aside: bool


@dataclass(frozen=True, slots=True)
class ProviderView:
    """A configured provider, as anybody may see it."""

    name: str
    kind: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether this process can keep what it is given; the rest is for information.

    `clock_off_seconds`: by how much its clock is ahead of the database's; None: they are the same, or nobody asked.
    """

    is_ready: bool
    reason: str | None
    schema_revision: str | None
    workers: tuple[WorkerView, ...]
    last_sweep_at: datetime | None
    holds: tuple[HoldView, ...]
    clock_off_seconds: float | None
    providers: tuple[ProviderView, ...] = ()
