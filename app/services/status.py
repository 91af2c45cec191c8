"""Status: batches and jobs as they stand, page by page."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from app import ids
from app.db import Connection
from app.errors import InvalidInput, NotFound, Problem
from app.runtime import Runtime
from app.services.views import (
    AttemptView,
    BatchStatus,
    BatchView,
    CallbackView,
    JobDetail,
    JobView,
    Page,
    ResultView,
)
from app.states import JobState
from app.store import attempts as attempt_rows
from app.store import batches as batch_rows
from app.store import callbacks as callback_rows
from app.store import jobs as job_rows
from app.store import results as result_rows


def batches(runtime: Runtime, owner: str | None, cursor: str | None, limit: int) -> Page[BatchView]:
    """Up to `limit` batches, newest first.

    Raises:
        InvalidInput: `cursor` is none of ours.
    """
    before = None if cursor is None else _read_cursor("batch", cursor)
    with runtime.database.reading() as connection:
        rows = batch_rows.page(connection, owner, before, limit + 1)
        views = tuple(_batch(connection, row) for row in rows[:limit])
    return Page(views, ids.show("batch", views[-1].id) if len(rows) > limit else None)


def batch(runtime: Runtime, owner: str | None, batch_id: UUID) -> BatchView:
    """One batch.

    Raises:
        NotFound: no such batch of this owner's.
    """
    with runtime.database.reading() as connection:
        return _batch(connection, find_batch(connection, owner, batch_id))


def jobs(
    runtime: Runtime,
    owner: str | None,
    batch_id: UUID,
    *,
    states: Sequence[str] = (),
    custom_id: str | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[JobView]:
    """Up to `limit` jobs of a batch in input order; all states if none is named.

    Raises:
        NotFound: no such batch of this owner's.
        InvalidInput: an unknown state, or `cursor` is none of ours.
    """
    wanted = read_states(states)
    after = -1 if cursor is None else _read_position(cursor)
    with runtime.database.reading() as connection:
        find_batch(connection, owner, batch_id)
        rows = job_rows.page(connection, batch_id, wanted, custom_id, after, limit + 1)
    views = tuple(job_view(row) for row in rows[:limit])
    return Page(views, str(views[-1].position) if len(rows) > limit else None)


def job(runtime: Runtime, owner: str | None, job_id: UUID) -> JobDetail:
    """One job with its input, its answer, its attempts and the callbacks that came for it.

    Raises:
        NotFound: no such job of this owner's.
    """
    with runtime.database.reading() as connection:
        row = job_rows.get(connection, owner, job_id)
        if row is None:
            raise NotFound("job", ids.show("job", job_id))
        text_data, options = job_rows.inputs(connection, [job_id])[job_id]
        answer = result_rows.get(connection, job_id)
        return JobDetail(
            job=job_view(row),
            text_data=text_data,
            options=options,
            result=None if answer is None else result_view(answer, answer.created_at),
            attempts=tuple(_attempt(attempt) for attempt in attempt_rows.rows_of_job(connection, job_id)),
            callbacks=tuple(_callback(body) for body in callback_rows.of_job(connection, job_id)),
        )


def has_open_batches(runtime: Runtime) -> bool:
    """Whether any batch has not ended."""
    with runtime.database.reading() as connection:
        return batch_rows.any_open(connection)


def find_batch(connection: Connection, owner: str | None, batch_id: UUID) -> Any:
    """The row of a batch. Raises NotFound: no such batch of this owner's."""
    row = batch_rows.get(connection, owner, batch_id)
    if row is None:
        raise NotFound("batch", ids.show("batch", batch_id))
    return row


def read_states(names: Sequence[str]) -> Sequence[JobState]:
    """The states of these names. Raises InvalidInput: one of them is none."""
    known = [str(state) for state in JobState]
    unknown = [name for name in names if name not in known]
    if unknown:
        problem = Problem(f"Unknown state; known: {', '.join(known)}.", "/state", value=unknown[0])
        raise InvalidInput([problem])
    return [JobState(name) for name in names]


def job_view(row: Any) -> JobView:
    """A job's row as its owner sees it."""
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
    )


def result_view(row: Any, answered_at: Any) -> ResultView:
    """An answer's columns as its owner sees them."""
    return ResultView(text=row.text, source=row.source, details=row.details, created_at=answered_at)


def _batch(connection: Connection, row: Any) -> BatchView:
    figures = row.final_figures or batch_rows.figures(connection, row.id)
    return BatchView(
        id=row.id,
        owner=row.owner,
        name=row.name,
        provider=row.provider,
        status=_status(row),
        options=row.options,
        metadata=row.metadata_,
        total=row.total,
        counts={str(state): figures[state] for state in JobState},
        round=row.round,
        max_attempts=row.max_attempts,
        retries=figures["submits"] - figures["submitted_jobs"],
        late=figures["late"],
        duplicates=figures["repeats"],
        cost=_money(figures["cost_nano"]),
        line_errors=tuple(Problem(**problem) for problem in row.line_errors["first"]),
        line_errors_total=row.line_errors["total"],
        oldest_open_job_at=batch_rows.oldest_open_job_at(connection, row.id),
        created_at=row.created_at,
        expires_at=row.expires_at,
        cancel_requested_at=row.cancel_requested_at,
        finalized_at=row.finalized_at,
    )


def _status(row: Any) -> BatchStatus:
    """The first that fits (docs/states.md)."""
    if row.finalized_at is None:
        return "in_progress" if row.cancel_requested_at is None else "cancelling"
    if row.cancel_requested_at is not None:
        return "cancelled"
    return "expired" if row.finalized_at >= row.expires_at else "completed"


def _attempt(row: Any) -> AttemptView:
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
        cost=None if row.cost_nano is None else _money(row.cost_nano),
    )


def _callback(row: Any) -> CallbackView:
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


def _money(nano: int) -> Decimal:
    return Decimal(nano).scaleb(-9)


def _read_cursor(kind: ids.Kind, cursor: str) -> UUID:
    try:
        return ids.read(kind, cursor)
    except NotFound as error:
        raise InvalidInput([Problem("This cursor is not one of ours.", "/cursor", value=cursor)]) from error


def _read_position(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise InvalidInput([Problem("This cursor is not one of ours.", "/cursor", value=cursor)])
    return int(cursor)
