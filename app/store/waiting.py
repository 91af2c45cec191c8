"""Waiting: what the open jobs of a batch wait for, grouped, and how many are before one in line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, and_, case, func, or_, select

from app.models import attempts, each_literally, jobs
from app.states import OPEN_JOB_STATES, AttemptState, JobState
from app.store.jobs import are_due


@dataclass(frozen=True, slots=True)
class Group:
    """Open jobs that wait for the same: how many, since when the first does, and when the first alarm rings.

    `attempt_state` is that of the current attempt, None before the first; `is_due`: their alarm has rung.
    """

    state: JobState
    attempt_state: AttemptState | None
    is_due: bool
    is_suspect: bool
    jobs: int
    since: datetime
    until: datetime


def groups(connection: Connection, batch_id: UUID, now: datetime, job_id: UUID | None = None) -> Sequence[Group]:
    """What the open jobs of a batch wait for, or one of them does."""
    is_due = jobs.c.due_at <= now
    is_queued = jobs.c.state == JobState.QUEUED
    since = case(
        (and_(is_queued, is_due), jobs.c.due_at),
        (is_queued, func.coalesce(attempts.c.finished_at, jobs.c.created_at)),
        else_=func.coalesce(attempts.c.acked_at, attempts.c.sent_at, attempts.c.created_at),
    )
    query = (
        select(
            jobs.c.state,
            attempts.c.state.label("attempt_state"),
            is_due.label("is_due"),
            jobs.c.suspect,
            func.count().label("jobs"),
            func.min(since).label("since"),
            func.min(jobs.c.due_at).label("until"),
        )
        .outerjoin(attempts, attempts.c.id == jobs.c.current_attempt_id)
        .where(jobs.c.batch_id == batch_id, jobs.c.state.in_(each_literally(OPEN_JOB_STATES)))
        .group_by(jobs.c.state, "attempt_state", "is_due", jobs.c.suspect)
    )
    if job_id is not None:
        query = query.where(jobs.c.id == job_id)
    return [
        Group(
            JobState(row.state),
            None if row.attempt_state is None else AttemptState(row.attempt_state),
            bool(row.is_due),
            row.suspect,
            row.jobs,
            row.since,
            row.until,
        )
        for row in connection.execute(query)
    ]


def before(connection: Connection, provider: str, due_at: datetime, job_id: UUID, most: int) -> int:
    """How many queued jobs of a provider are claimed before this one, counted up to `most`."""
    is_earlier = or_(jobs.c.due_at < due_at, and_(jobs.c.due_at == due_at, jobs.c.id < job_id))
    first = select(jobs.c.id).where(are_due(provider, due_at, suspect=False), is_earlier).limit(most)
    return connection.execute(select(func.count()).select_from(first.subquery())).scalar_one()
