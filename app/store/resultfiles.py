"""Result files of batches: which jobs they are about, in the order in which those ended, and what to say of each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select

from app.models import attempts, each_literally, job_inputs, job_results, jobs
from app.states import JobState


def positions(
    connection: Connection, batch_id: UUID, states: Sequence[JobState], ended_by: datetime | None, offset: int
) -> Sequence[int]:
    """The positions of the jobs in these states, in the order in which they ended, without the first `offset`.

    Only those that had ended by then, if a time is given.
    """
    query = select(jobs.c.position).where(jobs.c.batch_id == batch_id, jobs.c.state.in_(each_literally(states)))
    if ended_by is not None:
        query = query.where(jobs.c.finished_at <= ended_by)
    return connection.execute(query.order_by(jobs.c.finished_at, jobs.c.position).offset(offset)).scalars().all()


def lines(
    connection: Connection, batch_id: UUID, states: Sequence[JobState], positions: Sequence[int]
) -> Sequence[Row[Any]]:
    """What there is to say of the jobs at these positions that are in these states, in the order of the positions."""
    query = (
        select(
            jobs.c.id,
            jobs.c.position,
            jobs.c.custom_id,
            jobs.c.state,
            jobs.c.finished_at,
            jobs.c.error_code,
            jobs.c.error_message,
            job_inputs.c.options["model"].as_string().label("model"),
            job_results.c.text,
            job_results.c.details,
            attempts.c.http_status,
        )
        .join(job_inputs, job_inputs.c.job_id == jobs.c.id)
        .outerjoin(job_results, job_results.c.job_id == jobs.c.id)
        .outerjoin(attempts, attempts.c.id == jobs.c.current_attempt_id)
        .where(jobs.c.batch_id == batch_id, jobs.c.position.in_(positions), jobs.c.state.in_(each_literally(states)))
    )
    places = {position: place for place, position in enumerate(positions)}
    return sorted(connection.execute(query), key=lambda row: places[row.position])
