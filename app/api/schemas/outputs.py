"""What clients get: problems, batches, jobs and results. Times are RFC 3339 in UTC."""

from dataclasses import asdict
from datetime import datetime
from typing import Self

from pydantic import Field

from app.api.schemas.shown import (
    AttemptId,
    BatchId,
    CallbackId,
    Cost,
    ErrorOut,
    Failing,
    JobId,
    Json,
    Output,
    WebhookId,
)
from app.services.views import BatchStatus, JobDetail, ResultLine
from app.states import AttemptState, JobState, Outcome


class ProblemItemOut(Output):
    """One thing that is wrong: where, what, the limit that it broke and the value that did."""

    message: str
    pointer: str | None = Field(default=None, description="JSON pointer (RFC 6901) into the body, or into the line.")
    line: int | None = Field(default=None, description="Line of the body, from 1.")
    limit: float | str | None = None
    value: Json = Field(default=None, description="At most 200 characters of it.")


class ProblemOut(Output):
    """Why a request was not carried out (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemItemOut] | None = Field(
        default=None, description="The first 100 of what is wrong with the input."
    )
    errors_total: int | None = Field(default=None, description="How many there are in all.")


class BatchHoldOut(Output):
    """Why nothing is submitted from a batch. `until` is null when somebody has to end it."""

    reason: str
    message: str
    since: datetime
    until: datetime | None
    placed_by: str
    ends: str = Field(description="What ends it, in words that follow on `until`.")


class CostsOut(Output):
    """What a batch has cost, by what it was good for; together they are all of it."""

    useful: Cost = Field(description="Of the attempts whose answers were kept.")
    late: Cost = Field(description="Of answers that came for jobs which were over by then; a retry takes them.")
    duplicate: Cost = Field(description="Of other attempts of jobs that have their answer.")
    failed: Cost = Field(description="Of tasks that failed, or gave nothing that can be read.")


class SpanOut(Output):
    """Between when and when something is expected."""

    earliest: datetime = Field(serialization_alias="from")
    latest: datetime = Field(serialization_alias="to")


class BatchOut(Output):
    """A batch and how far it is."""

    id: BatchId
    name: str | None
    provider: str
    fallback_provider: str | None = Field(description="Who takes its queued jobs while `provider` is out of order.")
    status: BatchStatus
    options: dict[str, Json]
    metadata: dict[str, str]
    total: int
    counts: dict[JobState, int]
    round: int = Field(description="Raised by each retry of the batch; a round ends once.")
    max_attempts: int
    retries: int = Field(description="Submits beyond each job's first.")
    late: int = Field(description="Results that came after their attempt was given up.")
    duplicates: int = Field(description="Callbacks beyond the first of the same body.")
    read_back: int = Field(description="Tasks whose outcome was asked for, instead of paying for them again.")
    possibly_doubled: int = Field(description="Submits beyond a job's first for which it may have been billed again.")
    overdue: int = Field(description="Waiting jobs whose callback should have come by now.")
    cost: Cost
    costs: CostsOut
    budget: Cost | None = Field(description="What it may cost in all before it is paused.")
    line_errors: list[ProblemItemOut]
    line_errors_total: int
    oldest_open_job_at: datetime | None
    created_at: datetime
    expires_at: datetime
    expected_end: SpanOut | None = Field(
        description="When it will have ended, if nothing holds it and no callback is lost. Null once it has, while it "
        "is held or a callback is overdue, and as long as too little is known of the provider."
    )
    cancel_requested_at: datetime | None
    finalized_at: datetime | None
    webhook_id: WebhookId | None = Field(
        description="The endpoint of its `webhook_url`; its secret is to be had there."
    )
    holds: list[BatchHoldOut] = Field(description="Those on the batch itself, not on its provider.")


class _Job(Failing):
    id: JobId
    batch_id: BatchId
    position: int = Field(description="Its place in the batch, from 0.")
    custom_id: str
    state: JobState
    max_attempts: int
    due_at: datetime | None = Field(description="Its alarm while it is open.")
    expected_by: datetime | None = Field(
        description="While it waits for a callback: when 99 of 100 have come. Null if too little is known."
    )
    is_overdue: bool = Field(description="Whether that has passed; it times out at `due_at`.")
    created_at: datetime
    finished_at: datetime | None


class JobOut(_Job):
    """A job without its texts."""

    attempts: int = Field(description="Submits that may have reached the provider.")


class AttemptOut(Failing):
    """One submit. `cost` is null while unknown."""

    id: AttemptId
    number: int
    state: AttemptState
    provider: str
    provider_task_id: str | None
    created_at: datetime
    sent_at: datetime | None
    acked_at: datetime | None
    finished_at: datetime | None
    http_status: int | None
    cost: Cost | None


class CallbackOut(Output):
    """One body that the provider sent, without the body."""

    id: CallbackId
    attempt_id: AttemptId | None
    source: str
    outcome: Outcome
    detail: str | None
    times: int = Field(description="How often this very body came.")
    bytes: int
    sha256: str
    received_at: datetime
    last_received_at: datetime


class ResultOut(Output):
    """A job's answer."""

    text: str
    source: str
    details: dict[str, Json]
    created_at: datetime


class JobDetailOut(_Job):
    """A job with everything that is known of it, each of its submits among it."""

    text_data: str
    options: dict[str, Json]
    result: ResultOut | None
    attempts: list[AttemptOut]
    callbacks: list[CallbackOut]

    @classmethod
    def of(cls, detail: JobDetail) -> Self:
        """The job and what hangs on it, side by side."""
        texts = {name: getattr(detail, name) for name in ("text_data", "options", "result", "attempts", "callbacks")}
        return cls.model_validate(asdict(detail.job) | texts)


class ResultLineOut(Output):
    """One job in a result stream; `text` of a completed one, `error` of one that failed or is to be tried again."""

    custom_id: str
    job_id: JobId
    position: int
    state: JobState
    attempts: int
    text: str | None = None
    error: ErrorOut | None = None
    source: str | None = Field(default=None, description="How the answer was learnt.")
    details: dict[str, Json] | None = Field(default=None, description="What else the provider said: model, usage, ...")

    @classmethod
    def of(cls, line: ResultLine) -> Self:
        """The job beside its answer; what is absent stays unset."""
        job, result = line.job, line.result
        named = {name: getattr(job, name) for name in ("custom_id", "position", "state", "attempts")}
        if job.error_code is not None:
            named["error"] = ErrorOut(code=job.error_code, message=job.error_message)
        if result is not None:
            named |= {"text": result.text, "source": result.source, "details": result.details}
        return cls.model_validate({"job_id": job.id} | named)


class BatchPageOut(Output):
    """Batches, the newest first."""

    items: list[BatchOut]
    next_cursor: str | None


class JobPageOut(Output):
    """Jobs in input order."""

    items: list[JobOut]
    next_cursor: str | None


class ReasonOut(Output):
    """Why open jobs wait."""

    code: str
    message: str
    jobs: int = Field(description="How many open jobs it concerns.")
    is_at_least: bool = Field(
        description="Whether there may be more of them: of a large batch those with the earliest and the latest alarms "
        "are looked at."
    )
    since: datetime | None = Field(description="When the first of them began to wait for it.")
    until: datetime | None = Field(description="When the first of them need not wait for it any more, if known.")
    ends: str = Field(description="What ends it.")
    expected_by: datetime | None = Field(
        description="When the callback of the first should have come, if they wait for one and that is known."
    )


class WhyOut(Output):
    """Why something waits; never empty while a job of it is open."""

    reasons: list[ReasonOut]


class CancelledOut(Output):
    """How many jobs a cancel ended."""

    cancelled: int


class RetriedOut(Output):
    """What a retry did: queued jobs are submitted again, salvaged ones took a stored late answer and cost nothing."""

    queued: int
    salvaged: int
