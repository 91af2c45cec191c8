"""Waiting: what the open jobs of a batch wait for, grouped, and how many are before one in line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, and_, case, false, func, or_, select

from app.models import attempts, each_literally, jobs, literally
from app.states import OPEN_JOB_STATES, AttemptState, JobState
from app.store import attempts as attempt_rows
from app.store.jobs import are_due


@dataclass(frozen=True, slots=True)
class Group:
    """Open jobs that wait for the same: how many, since when the first does, and when the first alarm rings.

    `attempt_state` and `provider` are those of the current attempt, None before the first; `is_due`: their alarm has
    rung; `is_overdue`: their callback should have come. `sent_at` is when the first was sent.
    """

    state: JobState
    attempt_state: AttemptState | None
    is_due: bool
    is_suspect: bool
    jobs: int
    since: datetime
    until: datetime
    is_overdue: bool = False
    sent_at: datetime | None = None
    provider: str | None = None


def groups(
    connection: Connection,
    batch_id: UUID,
    now: datetime,
    job_id: UUID | None = None,
    *,
    sent_before: datetime | None = None,
) -> Sequence[Group]:
    """What the open jobs of a batch wait for, or one of them does; callbacks are overdue of what was sent before then,
    if that is known."""
    is_due = jobs.c.due_at <= now
    is_queued = jobs.c.state == JobState.QUEUED
    since = case(
        (and_(is_queued, is_due), jobs.c.due_at),
        (is_queued, func.coalesce(attempts.c.finished_at, jobs.c.created_at)),
        else_=func.coalesce(attempts.c.acked_at, attempts.c.sent_at, attempts.c.created_at),
    )
    sent_at = func.coalesce(attempts.c.sent_at, attempts.c.created_at)
    is_overdue = and_(attempts.c.state == AttemptState.WAITING, sent_at <= sent_before) if sent_before else false()
    query = (
        select(
            jobs.c.state,
            attempts.c.state.label("attempt_state"),
            attempts.c.provider,
            is_due.label("is_due"),
            jobs.c.suspect,
            func.count().label("jobs"),
            func.min(since).label("since"),
            func.min(jobs.c.due_at).label("until"),
            is_overdue.label("is_overdue"),
            func.min(sent_at).label("sent_at"),
        )
        .outerjoin(attempts, attempts.c.id == jobs.c.current_attempt_id)
        .where(jobs.c.batch_id == batch_id, jobs.c.state.in_(each_literally(OPEN_JOB_STATES)))
        .group_by(jobs.c.state, "attempt_state", attempts.c.provider, "is_due", "is_overdue", jobs.c.suspect)
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
            bool(row.is_overdue),
            row.sent_at,
            row.provider,
        )
        for row in connection.execute(query)
    ]


def overdue(connection: Connection, batch_ids: Sequence[UUID], sent_before: datetime) -> Mapping[UUID, int]:
    """How many jobs of each of these batches wait for the callback of what was sent before then, where any do."""
    query = (
        select(jobs.c.batch_id, func.count())
        .where(
            jobs.c.batch_id.in_(batch_ids),
            jobs.c.state == literally(JobState.WAITING),
            attempt_rows.waits_since(sent_before),
        )
        .group_by(jobs.c.batch_id)
    )
    return {batch_id: number for batch_id, number in connection.execute(query)}  # noqa: C416 - a Row is not a pair


def before(connection: Connection, provider: str, due_at: datetime, job_id: UUID, most: int) -> int:
    """How many queued jobs of a provider are claimed before this one, counted up to `most`."""
    is_earlier = or_(jobs.c.due_at < due_at, and_(jobs.c.due_at == due_at, jobs.c.id < job_id))
    first = select(jobs.c.id).where(are_due(provider, due_at, suspect=False), is_earlier).limit(most)
    return connection.execute(select(func.count()).select_from(first.subquery())).scalar_one()
