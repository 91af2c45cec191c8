"""The tables: what changes often (`jobs`, `attempts`) is narrow, what is large (inputs, results) stands apart."""

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    literal_column,
    text,
)

from app.db import UtcDateTime
from app.states import (
    END_EVENTS,
    OPEN_ATTEMPT_STATES,
    OPEN_JOB_STATES,
    AttemptState,
    DeliveryState,
    EventType,
    JobState,
    Outcome,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _is_in(column: str, values: Iterable[str]) -> str:
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    return CheckConstraint(_is_in(column, values), name=column)


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, postgresql_where=text(where), sqlite_where=text(where))


def literally(state: str) -> ColumnElement[str]:
    """A state written into the statement, in the words of the index: SQLite, and PostgreSQL with a prepared statement,
    can't tell from a parameter that a partial index fits."""
    return literal_column(f"'{state}'", String)


def each_literally(states: Iterable[str]) -> list[ColumnElement[str]]:
    """Several of them, for `in_`."""
    return [literally(state) for state in states]


SET_ASIDE = (Outcome.LATE, Outcome.CONFLICT, Outcome.INVALID)
"""Outcomes of callbacks that did nothing; orphans, which may yet, have an index of their own."""

CLAIMED_JOB_STATES = (JobState.SUBMITTING, JobState.WAITING)

IS_END = _is_in("type", END_EVENTS)
OPEN_JOB = _is_in("state", OPEN_JOB_STATES)
OPEN_ATTEMPT = _is_in("state", OPEN_ATTEMPT_STATES)
NOT_FOLDED = "NOT is_folded"
BUDGETED = "finalized_at IS NULL AND budget_nano IS NOT NULL"
FALLING_BACK = "finalized_at IS NULL AND fallback_provider IS NOT NULL"

IN_VAIN = ("late_nano", "duplicate_nano", "failed_nano")
"""What attempts cost that gave no answer that was kept: of a job without an answer, of one that has it from another
attempt, and of tasks that failed."""

PAYING_AGAIN = ("read_back", "possibly_doubled")
"""Outcomes that were asked for instead of paid for again; submits beyond a job's first that may have been billed."""

FIGURES = (*map(str, JobState), "submits", "submitted_jobs", "cost_nano", *IN_VAIN, "late", "repeats", *PAYING_AGAIN)
"""What is counted of a batch: its jobs by state; the attempts that may have reached the provider, the jobs that have
one, what all attempts cost, and what part of that was in vain; callbacks that were late, and those beyond the first of
the same body; what asking before paying again saved, and what may have been paid twice."""

TOKENS = ("told", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
"""What the answers of a batch say that they took, and how many of them said so."""

batches = Table(
    "batches",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("name", String(200)),
    Column("provider", String(64), nullable=False),
    Column("options", JSON, nullable=False),
    Column("metadata", JSON, nullable=False, key="metadata_"),
    Column("idempotency_key", String(255)),
    Column("request_sha256", String(64)),
    Column("total", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("lifetime_seconds", Float, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("cancel_requested_at", UtcDateTime),
    Column("finalized_at", UtcDateTime),
    Column("removed_at", UtcDateTime),
    Column("budget_nano", BigInteger),
    # Of the version before this one, which still uses it while a release is rolled out.
    Column("final_figures", JSON(none_as_null=True)),
    Column("line_errors", JSON, nullable=False),
    # Of batches that came through the OpenAI face, or whose result files were deleted there.
    Column("input_file_id", String(200)),
    Column("files_lifetime_seconds", Integer),
    Column("output_deleted_at", UtcDateTime),
    Column("errors_deleted_at", UtcDateTime),
    Column("fallback_provider", String(64)),
    # The first two that its jobs ask for; null in the rows of versions before.
    Column("models", JSON(none_as_null=True)),
    # Whom it tells of its end beside the endpoints that hear of every batch.
    Column("webhook_endpoint_id", Uuid),
    UniqueConstraint("owner", "idempotency_key"),
    Index("ix_batches_owner_id", "owner", "id"),
    _partial("ix_batches_open", "expires_at", where="finalized_at IS NULL"),
    _partial("ix_batches_open_id", "id", where="finalized_at IS NULL"),
    _partial("ix_batches_budgeted", "id", where=BUDGETED),
    _partial("ix_batches_falling_back", "fallback_provider", where=FALLING_BACK),
    _partial("ix_batches_cancelling", "id", where="finalized_at IS NULL AND cancel_requested_at IS NOT NULL"),
    _partial("ix_batches_finished", "finalized_at", where="removed_at IS NULL"),
    _partial("ix_batches_removed", "id", where="removed_at IS NOT NULL"),
)

# What each transaction added to the figures of a batch; their sum is what a count would give, at every moment.
# There is no foreign key: it would lock the row of the batch in every transaction that moves a job of it.
batch_figures = Table(
    "batch_figures",
    metadata,
    Column("batch_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("is_folded", Boolean, nullable=False),
    # Null in the rows of versions before, which did not keep these.
    *(Column(name, BigInteger, nullable=name in (*IN_VAIN, *PAYING_AGAIN)) for name in FIGURES),
    *(Column(name, BigInteger) for name in TOKENS),  # null in the rows of versions before
    _partial("ix_batch_figures_not_folded", "batch_id", where=NOT_FOLDED),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("batch_id", Uuid, ForeignKey("batches.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("custom_id", String(512), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("due_at", UtcDateTime),
    Column("current_attempt_id", Uuid),
    Column("attempts", Integer, nullable=False),
    Column("last_number", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("suspect", Boolean, nullable=False),
    Column("error_code", String(64)),
    Column("error_message", String(500)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    UniqueConstraint("batch_id", "position"),
    UniqueConstraint("batch_id", "custom_id"),
    Index("ix_jobs_batch_id_state_position", "batch_id", "state", "position"),
    CheckConstraint(f"({OPEN_JOB}) = (due_at IS NOT NULL)", name="open_has_alarm"),
    CheckConstraint(f"({OPEN_JOB}) = (finished_at IS NULL)", name="final_has_end"),
    _one_of("state", JobState),
    _partial("ix_jobs_queued", "provider", "suspect", "due_at", "id", where="state = 'queued'"),
    _partial("ix_jobs_alarm", "due_at", where=_is_in("state", CLAIMED_JOB_STATES)),
    _partial("ix_jobs_open", "batch_id", "state", "suspect", "due_at", where=OPEN_JOB),
    # What ended when, in all batches: a job has an entry once it is over, so what is hot pays nothing.
    _partial("ix_jobs_ended", "state", "finished_at", "id", where="finished_at IS NOT NULL"),
    _partial("ix_jobs_failed", "error_code", "finished_at", "id", where="state = 'failed'"),
)

job_inputs = Table(
    "job_inputs",
    metadata,
    Column("job_id", Uuid, ForeignKey("jobs.id"), primary_key=True),
    Column("text_data", Text, nullable=False),
    Column("options", JSON, nullable=False),
)

job_results = Table(
    "job_results",
    metadata,
    Column("job_id", Uuid, ForeignKey("jobs.id"), primary_key=True),
    Column("attempt_id", Uuid, nullable=False),
    Column("callback_id", Uuid, nullable=False),
    Column("source", String(16), nullable=False),
    Column("source_sha256", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("details", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("job_id", Uuid, ForeignKey("jobs.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("provider", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("provider_task_id", String(200)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("acked_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("http_status", Integer),
    Column("error_code", String(64)),
    Column("error_message", String(500)),
    Column("cost_nano", BigInteger),
    Column("had_more_time", Boolean, nullable=False),
    Column("is_permanent", Boolean),  # null in the rows of versions before
    UniqueConstraint("job_id", "number"),
    _one_of("state", AttemptState),
    _partial("uq_attempts_open", "job_id", where=OPEN_ATTEMPT, unique=True),
    _partial("ix_attempts_in_flight", "provider", where=OPEN_ATTEMPT),
    _partial("ix_attempts_task", "provider_task_id", where="provider_task_id IS NOT NULL"),
)

callbacks = Table(
    "callbacks",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("attempt_id", Uuid),
    Column("job_id", Uuid),
    Column("batch_id", Uuid, nullable=False),
    Column("provider", String(64), nullable=False),
    Column("source", String(16), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("last_received_at", UtcDateTime, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("times", Integer, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("detail", String(500)),
    Column("rematch_at", UtcDateTime),
    Column("discarded_at", UtcDateTime),
    _one_of("outcome", Outcome),
    UniqueConstraint("attempt_id", "sha256"),
    Index("ix_callbacks_job_id", "job_id"),
    Index("ix_callbacks_batch_id", "batch_id"),
    _partial("ix_callbacks_orphans", "id", where="outcome = 'orphan'"),
    _partial("ix_callbacks_unproven", "batch_id", "sha256", where="source = 'unauthenticated'"),
    _partial("ix_callbacks_set_aside", "outcome", "id", where=_is_in("outcome", SET_ASIDE)),
    _partial("ix_callbacks_rematch", "rematch_at", where="rematch_at IS NOT NULL"),
)

holds = Table(
    "holds",
    metadata,
    Column("scope", String(16), primary_key=True),
    Column("scope_id", String(64), primary_key=True),
    Column("reason", String(32), primary_key=True),
    Column("message", String(500), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime),
    Column("placed_by", String(64), nullable=False),
    Column("fingerprint", String(40)),
    CheckConstraint("scope IN ('provider', 'batch')", name="scope"),
)

limits = Table(
    "limits",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("next_slot_at", UtcDateTime, nullable=False),
    Column("is_full", Boolean, nullable=False),
    Column("echoed_url", Text),
    Column("echoed_at", UtcDateTime),
    Column("echo_due_at", UtcDateTime),
    Column("listening_since", UtcDateTime),
)

breakers = Table(
    "breakers",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("faults", Integer, nullable=False),
    Column("trips", Integer, nullable=False),
    Column("until", UtcDateTime),
)

# One row a provider: how long its callbacks took, and how fast they came while jobs were queued. The sweep alone
# writes it, from the inbox; `seen_id` is the last callback that it has looked at.
latencies = Table(
    "latencies",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("counts", JSON, nullable=False),
    Column("seen_id", Uuid, nullable=False),
    Column("learned_at", UtcDateTime, nullable=False),
    Column("queued", Integer, nullable=False),
    Column("busy_answers", Float, nullable=False),
    Column("busy_seconds", Float, nullable=False),
)

# How many jobs ended in each minute, written when the figures of their batches are folded; nothing else reads them all.
# A minute has several rows, so that those who fold for one provider seldom wait for each other.
throughput = Table(
    "throughput",
    metadata,
    Column("minute", UtcDateTime, primary_key=True),
    Column("provider", String(64), primary_key=True),
    Column("lane", Integer, primary_key=True),
    Column("completed", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("name", String(100), nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("hint", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),  # may lie ahead
    Column("scopes", JSON(none_as_null=True)),  # null in the rows of versions before
    Column("last_used_at", UtcDateTime),  # to the minute
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(100), nullable=False),
    Column("details", JSON, nullable=False),
    Index("ix_audit_events_actor_id", "actor", "id"),
    Index("ix_audit_events_action_id", "action", "id"),
    Index("ix_audit_events_subject_id", "subject", "id"),
)

purged_batches = Table(
    "purged_batches",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("purged_at", UtcDateTime, nullable=False),
)

# What was uploaded, in pieces, so that nobody has to hold it whole; `bytes` is null until all of them are there.
files = Table(
    "files",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("filename", String(512), nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("bytes", BigInteger),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("removed_at", UtcDateTime),
    Index("ix_files_owner_id", "owner", "id"),
    _partial("ix_files_expiring", "expires_at", where="removed_at IS NULL AND expires_at IS NOT NULL"),
    _partial("ix_files_unfinished", "created_at", where="removed_at IS NULL AND bytes IS NULL"),
    _partial("ix_files_removed", "id", where="removed_at IS NOT NULL"),
)

file_pieces = Table(
    "file_pieces",
    metadata,
    Column("file_id", Uuid, ForeignKey("files.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

# Where a submitter hears of its batches. `of_named_batches`: only of those that name its URL.
webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("name", String(200), nullable=False),
    Column("url", Text, nullable=False),
    Column("event_types", JSON, nullable=False),
    Column("of_named_batches", Boolean, nullable=False),
    Column("secret", String(200), nullable=False),
    Column("old_secret", String(200)),
    Column("old_secret_until", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("removed_at", UtcDateTime),
    Column("failing_since", UtcDateTime),
    Column("not_before", UtcDateTime),
    Column("disabled_at", UtcDateTime),
    Column("disabled_reason", String(500)),
    Index("ix_webhook_endpoints_owner_id", "owner", "id"),
    _partial(
        "uq_webhook_endpoints_named", "owner", "url", where="of_named_batches AND removed_at IS NULL", unique=True
    ),
)

# The outbox: what is to be told, written in the transaction in which it happens. `occasion` keeps two of a type apart
# in one round of a batch; a test has no batch. `forget_at`: from when on it need not be kept, as its batch is gone.
webhook_events = Table(
    "webhook_events",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("type", String(32), nullable=False),
    Column("batch_id", Uuid),
    Column("round", Integer, nullable=False),
    Column("occasion", String(64), nullable=False),
    Column("data", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("forget_at", UtcDateTime),
    UniqueConstraint("batch_id", "round", "type", "occasion"),
    _one_of("type", EventType),
    Index("ix_webhook_events_owner_created_at", "owner", "created_at"),
    _partial("uq_webhook_events_end", "batch_id", "round", where=IS_END, unique=True),
    _partial("ix_webhook_events_forget", "forget_at", where="forget_at IS NOT NULL"),
)

# An event on its way to one endpoint; `step` counts the tries since it was last put on its way.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("event_id", Uuid, ForeignKey("webhook_events.id"), nullable=False),
    Column("endpoint_id", Uuid, ForeignKey("webhook_endpoints.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("due_at", UtcDateTime),
    Column("tries", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    UniqueConstraint("event_id", "endpoint_id"),
    CheckConstraint("(state = 'pending') = (due_at IS NOT NULL)", name="pending_is_due"),
    _one_of("state", DeliveryState),
    Index("ix_webhook_deliveries_endpoint_id_id", "endpoint_id", "id"),
    _partial("ix_webhook_deliveries_due", "due_at", where="state = 'pending'"),
    _partial("ix_webhook_deliveries_pending", "endpoint_id", "due_at", where="state = 'pending'"),
    _partial("ix_webhook_deliveries_failed", "endpoint_id", "id", where="state = 'failed'"),
)

# Each try, written before it is made: one without an end is one whose worker died.
webhook_tries = Table(
    "webhook_tries",
    metadata,
    Column("delivery_id", Uuid, ForeignKey("webhook_deliveries.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("url", Text, nullable=False),
    Column("http_status", Integer),
    Column("error", String(500)),
    Column("request_head", Text),
    Column("response_head", Text),
)

worker_beats = Table(
    "worker_beats",
    metadata,
    Column("worker", String(100), primary_key=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("swept_at", UtcDateTime, nullable=False),
    Column("sweep_seconds", Float, nullable=False),
    Column("clock_off_seconds", Float),
)
