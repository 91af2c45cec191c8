"""What is told of one batch beside its figures, from a bounded part of its jobs."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Integer, Row, Select, func, literal_column, select

from app.models import attempts, jobs, literally
from app.states import AttemptState, JobState
from app.store import dialects


def failures(connection: Connection, batch_id: UUID, most: int) -> Sequence[Row[Any]]:
    """`error_code` and `jobs`, the most frequent first, of the first `most` failed jobs of a batch in input order."""
    failed = _in_state(batch_id, JobState.FAILED).order_by(jobs.c.position).limit(_written(most)).subquery()
    counted = func.count().label("jobs")
    query = select(failed.c.error_code, counted).group_by(failed.c.error_code)
    return connection.execute(query.order_by(counted.desc(), failed.c.error_code)).all()


def latencies(connection: Connection, batch_id: UUID, most: int) -> Sequence[float]:
    """The seconds from submit to answer of the last `most` completed jobs of a batch in input order."""
    completed = (
        _in_state(batch_id, JobState.COMPLETED).order_by(jobs.c.position.desc()).limit(_written(most)).subquery()
    )
    sent_at = func.coalesce(attempts.c.sent_at, attempts.c.created_at)
    # A subquery for each, which goes by the index; a join would as soon read all attempts that there are.
    took = select(func.max(dialects.seconds_between(sent_at, attempts.c.finished_at))).where(
        attempts.c.job_id == completed.c.id, attempts.c.state == AttemptState.COMPLETED
    )
    found = connection.execute(select(took.scalar_subquery()).select_from(completed)).scalars()
    return [float(seconds) for seconds in found if seconds is not None]


def _in_state(batch_id: UUID, state: JobState) -> Select[Any]:
    return select(jobs.c.id, jobs.c.error_code).where(jobs.c.batch_id == batch_id, jobs.c.state == literally(state))


def _written(most: int) -> Any:
    # Into the statement: not knowing how few are wanted, PostgreSQL would rather read all.
    return literal_column(str(most), Integer)
