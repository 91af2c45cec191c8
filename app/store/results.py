"""Answers: at most one a job."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select

from app.models import job_results, jobs
from app.states import JobState
from app.store import bulk, paging


def row(*, job_id: UUID, body: Any, text: str, details: Mapping[str, Any], created_at: datetime) -> Mapping[str, Any]:
    """An answer as it is kept; `body` is the row of the inbox, or the like, that it was read from."""
    return {
        "job_id": job_id,
        "attempt_id": body.attempt_id,
        "callback_id": body.id,
        "source": body.source,
        "source_sha256": body.sha256,
        "text": text,
        "details": dict(details),
        "created_at": created_at,
    }


def add(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep the answers of jobs that were completed in this transaction."""
    bulk.add(connection, job_results, rows)


def get(connection: Connection, job_id: UUID) -> Row[Any] | None:
    """A job's answer."""
    return connection.execute(select(job_results).where(job_results.c.job_id == job_id)).one_or_none()


def page(
    connection: Connection, batch_id: UUID, states: Sequence[JobState], after: int, limit: int
) -> Sequence[Row[Any]]:
    """Up to `limit` jobs of a batch in input order from behind position `after`, each with its answer if it has one."""
    query = (
        select(
            jobs,
            job_results.c.text,
            job_results.c.source,
            job_results.c.details,
            job_results.c.created_at.label("answered_at"),
        )
        .outerjoin(job_results, job_results.c.job_id == jobs.c.id)
        .where(jobs.c.batch_id == batch_id, jobs.c.position > after)
        .order_by(jobs.c.position)
        .limit(limit)
    )
    if states:
        query = query.where(jobs.c.position.in_(paging.positions(batch_id, states, after, limit)))
    return connection.execute(query).all()
