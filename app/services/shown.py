"""Rows as their owners see them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from app.errors import Problem
from app.services import brakes
from app.services.views import (
    AttemptView,
    BatchStatus,
    BatchView,
    CallbackView,
    CostsView,
    EndStatus,
    HoldView,
    JobView,
    ResultKind,
    ResultView,
    Span,
)
from app.states import OPEN_JOB_STATES, JobState


def batch_view(
    row: Any, figures: Mapping[str, int], held: Sequence[Any], *, overdue: int = 0, expected_end: Span | None = None
) -> BatchView:
    """A batch's row, its figures, the holds on it and what is expected of it as its owner sees them."""
    has_open_jobs = any(figures[state] for state in OPEN_JOB_STATES)
    status = _status(row, is_held=bool(held))
    return BatchView(
        id=row.id,
        owner=row.owner,
        name=row.name,
        provider=row.provider,
        fallback_provider=row.fallback_provider,
        status=status,
        options=row.options,
        metadata=row.metadata_,
        total=row.total,
        counts={str(state): figures[state] for state in JobState},
        round=row.round,
        max_attempts=row.max_attempts,
        retries=figures["submits"] - figures["submitted_jobs"],
        late=figures["late"],
        duplicates=figures["repeats"],
        read_back=figures["read_back"],
        possibly_doubled=figures["possibly_doubled"],
        overdue=overdue,
        cost=money(figures["cost_nano"]),
        costs=_costs(figures),
        budget=None if row.budget_nano is None else money(row.budget_nano),
        line_errors=tuple(Problem(**problem) for problem in row.line_errors["first"]),
        line_errors_total=row.line_errors["total"],
        oldest_open_job_at=row.created_at if has_open_jobs else None,  # all jobs of a batch are as old as it is
        created_at=row.created_at,
        expires_at=row.expires_at,
        expected_end=expected_end if has_open_jobs and status == "in_progress" and not overdue else None,
        cancel_requested_at=row.cancel_requested_at,
        finalized_at=row.finalized_at,
        holds=tuple(hold_view(hold) for hold in held),
        input_file_id=row.input_file_id,
        deleted_files=frozenset(_deleted(row)),
        files_expire_at=_files_expire_at(row),
        webhook_id=row.webhook_endpoint_id,
    )


def _deleted(row: Any) -> Iterator[ResultKind]:
    if row.output_deleted_at is not None:
        yield "output"
    if row.errors_deleted_at is not None:
        yield "errors"


def _files_expire_at(row: Any) -> datetime | None:
    if row.finalized_at is None or row.files_lifetime_seconds is None:
        return None
    expire_at: datetime = row.finalized_at + timedelta(seconds=row.files_lifetime_seconds)
    return expire_at


def _costs(figures: Mapping[str, int]) -> CostsView:
    late, duplicate, failed = (figures[f"{kind}_nano"] for kind in ("late", "duplicate", "failed"))
    useful = figures["cost_nano"] - late - duplicate - failed
    return CostsView(money(useful), money(late), money(duplicate), money(failed))


def _status(row: Any, *, is_held: bool) -> BatchStatus:
    """The first that fits (docs/states.md)."""
    if not row.total:
        return "failed"
    if row.finalized_at is None:
        if row.cancel_requested_at is not None:
            return "cancelling"
        return "paused" if is_held else "in_progress"
    return end_of(row, row.finalized_at)


def end_of(row: Any, ended_at: datetime) -> EndStatus:
    """What a batch is that ended then."""
    if not row.total:
        return "failed"
    if row.cancel_requested_at is not None:
        return "cancelled"
    return "expired" if ended_at >= row.expires_at else "completed"


def hold_view(row: Any) -> HoldView:
    """A hold's row."""
    ends = brakes.ends(row.reason, row.until)
    return HoldView(row.scope, row.scope_id, row.reason, row.message, row.since, row.until, row.placed_by, ends)


def job_view(row: Any, expected_by: datetime | None = None, *, is_overdue: bool = False) -> JobView:
    """A job's row, and when its callback should have come, as its owner sees them."""
    return JobView(
        id=row.id,
        batch_id=row.batch_id,
        position=row.position,
        custom_id=row.custom_id,
        state=row.state,
        attempts=row.attempts,
        max_attempts=row.max_attempts,
        due_at=row.due_at,
        error_code=row.error_code,
        error_message=row.error_message,
        created_at=row.created_at,
        finished_at=row.finished_at,
        expected_by=expected_by,
        is_overdue=is_overdue,
    )


def attempt_view(row: Any) -> AttemptView:
    """An attempt's row."""
    return AttemptView(
        id=row.id,
        number=row.number,
        state=row.state,
        provider=row.provider,
        provider_task_id=row.provider_task_id,
        created_at=row.created_at,
        sent_at=row.sent_at,
        acked_at=row.acked_at,
        finished_at=row.finished_at,
        http_status=row.http_status,
        error_code=row.error_code,
        error_message=row.error_message,
        cost=None if row.cost_nano is None else money(row.cost_nano),
    )


def callback_view(row: Any) -> CallbackView:
    """A row of the inbox, without the body."""
    return CallbackView(
        id=row.id,
        attempt_id=row.attempt_id,
        source=row.source,
        outcome=row.outcome,
        detail=row.detail,
        times=row.times,
        bytes=row.bytes,
        sha256=row.sha256,
        received_at=row.received_at,
        last_received_at=row.last_received_at,
    )


def result_view(row: Any, answered_at: Any) -> ResultView:
    """An answer's columns as its owner sees them."""
    return ResultView(text=row.text, source=row.source, details=row.details, created_at=answered_at)


def money(nano: int) -> Decimal:
    """An amount that is kept as an integer of 10^-9, in the currency's unit."""
    return Decimal(nano).scaleb(-9)
