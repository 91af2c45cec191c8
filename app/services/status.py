"""Status: batches and jobs as they stand, page by page."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app import ids
from app.db import Connection
from app.errors import InvalidInput, NotFound, Problem
from app.runtime import Runtime
from app.services import expectations
from app.services.shown import attempt_view, batch_view, callback_view, job_view, result_view
from app.services.views import BatchView, JobDetail, JobView, Page
from app.states import Case, JobState
from app.store import attempts as attempt_rows
from app.store import batches as batch_rows
from app.store import callbacks as callback_rows
from app.store import figures as figure_rows
from app.store import holds as hold_rows
from app.store import inputs
from app.store import jobs as job_rows
from app.store import results as result_rows

OVERDUE = "overdue"
"""What people call a waiting job whose callback should have come: a word, not a state."""


def batches(runtime: Runtime, owner: str | None, cursor: str | None, limit: int) -> Page[BatchView]:
    """Up to `limit` batches, newest first.

    Raises:
        InvalidInput: `cursor` is none of ours.
    """
    before = None if cursor is None else read_cursor("batch", cursor)
    with runtime.database.reading() as connection:
        rows = batch_rows.page(connection, owner, before, limit + 1)
        views = batch_views(runtime, connection, rows[:limit])
    return Page(views, ids.show("batch", views[-1].id) if len(rows) > limit else None)


def batch(runtime: Runtime, owner: str | None, batch_id: UUID) -> BatchView:
    """One batch.

    Raises:
        NotFound: no such batch of this owner's.
    """
    with runtime.database.reading() as connection:
        row = find_batch(connection, owner, batch_id)
        return batch_views(runtime, connection, [row])[0]


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
    """Up to `limit` jobs of a batch in input order; all states if none is named, `overdue` among them as a word for
    waiting jobs whose callback should have come.

    Raises:
        NotFound: no such batch of this owner's.
        InvalidInput: an unknown state, or `cursor` is none of ours.
    """
    wanted = read_states([state for state in states if state != OVERDUE])
    after = -1 if cursor is None else _read_position(cursor)
    with runtime.database.reading() as connection:
        batch = find_batch(connection, owner, batch_id)
        before = _overdue_before(runtime, connection, batch.provider) if OVERDUE in states else None
        if states and not wanted and before is None:
            return Page((), None)  # nobody can say yet what is overdue
        rows = job_rows.page(connection, batch_id, wanted, custom_id, after, limit + 1, sent_before=before)
        views = job_views(runtime, connection, rows[:limit])
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
        text_data, options = inputs.of_jobs(connection, [job_id])[job_id]
        answer = result_rows.get(connection, job_id)
        return JobDetail(
            job=job_views(runtime, connection, [row])[0],
            text_data=text_data,
            options=options,
            result=None if answer is None else result_view(answer, answer.created_at),
            attempts=tuple(attempt_view(attempt) for attempt in attempt_rows.rows_of_job(connection, job_id)),
            callbacks=tuple(callback_view(body) for body in callback_rows.of_job(connection, job_id)),
        )


def has_open_batches(runtime: Runtime) -> bool:
    """Whether any batch has not ended."""
    with runtime.database.reading() as connection:
        return batch_rows.any_open(connection)


def batch_views(runtime: Runtime, connection: Connection, rows: Sequence[Any]) -> tuple[BatchView, ...]:
    """Rows of batches as their owners see them, with their figures, holds and what is expected of them."""
    batch_ids, now = [row.id for row in rows], runtime.moment().now
    figures = figure_rows.of_batches(connection, batch_ids)
    held = hold_rows.on_batches(connection, batch_ids, now)
    is_any_open = any(row.finalized_at is None for row in rows)
    expected = expectations.of_providers(runtime, connection) if is_any_open else {}
    waiting = [row for row in rows if figures[row.id][JobState.WAITING]]
    overdue = expectations.overdue(connection, waiting, expected, now)
    return tuple(
        batch_view(
            row,
            figures[row.id],
            held.get(row.id, ()),
            overdue=overdue.get(row.id, 0),
            expected_end=expectations.end(expected.get(row.provider), figures[row.id], row.expires_at, now),
        )
        for row in rows
    )


def _overdue_before(runtime: Runtime, connection: Connection, provider: str) -> datetime | None:
    usual = expectations.usual(expectations.of_providers(runtime, connection), provider)
    return runtime.moment().now - usual if usual else None


def job_views(runtime: Runtime, connection: Connection, rows: Sequence[Any]) -> tuple[JobView, ...]:
    """Rows of jobs as their owners see them, with when their callbacks should have come."""
    now, by = runtime.moment().now, expectations.expected_by(runtime, connection, rows)
    return tuple(job_view(row, by.get(row.id), is_overdue=row.id in by and by[row.id] <= now) for row in rows)


def find_batch(connection: Connection, owner: str | None, batch_id: UUID) -> Any:
    """The row of a batch. Raises NotFound: no such batch of this owner's."""
    row = batch_rows.get(connection, owner, batch_id)
    if row is None:
        raise NotFound("batch", ids.show("batch", batch_id))
    return row


def lock_batch(connection: Connection, owner: str | None, batch_id: UUID) -> Any:
    """The row of a batch, locked. Raises NotFound: no such batch of this owner's."""
    batch = batch_rows.lock(connection, [batch_id]).get(batch_id)
    if batch is None or owner not in (None, batch.owner):
        raise NotFound("batch", ids.show("batch", batch_id))
    return batch


def lock_job(connection: Connection, job_id: UUID) -> tuple[Any, Case]:
    """The row of a job's batch, and the job with its attempts, locked in this order. Raises NotFound: no such job."""
    row = job_rows.get(connection, None, job_id)
    batch = batch_rows.lock(connection, [row.batch_id]).get(row.batch_id) if row is not None else None
    case = job_rows.lock(connection, [job_id]).get(job_id)
    if batch is None or case is None:
        raise NotFound("job", ids.show("job", job_id))
    return batch, case


def read_states(names: Sequence[str]) -> Sequence[JobState]:
    """The states of these names. Raises InvalidInput: one of them is none."""
    known = [str(state) for state in JobState]
    unknown = [name for name in names if name not in known]
    if unknown:
        problem = Problem(f"Unknown state; known: {', '.join(known)}.", "/state", value=unknown[0])
        raise InvalidInput([problem])
    return [JobState(name) for name in names]


def read_cursor(kind: ids.Kind, cursor: str) -> UUID:
    """The id that a page ended with. Raises InvalidInput: it is none."""
    try:
        return ids.read(kind, cursor)
    except NotFound as error:
        raise InvalidInput([Problem("This cursor is not one of ours.", "/cursor", value=cursor)]) from error


def _read_position(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise InvalidInput([Problem("This cursor is not one of ours.", "/cursor", value=cursor)])
    return int(cursor)
