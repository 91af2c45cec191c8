"""Sums over all that is open, each from an index of what is open, and the newest of what is over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, func, select

from app.ids import lowest
from app.models import attempts, batch_figures, batches, callbacks, each_literally, jobs, literally
from app.states import OPEN_ATTEMPT_STATES, OPEN_JOB_STATES, AttemptState, JobState

_NEWEST_CALLBACKS = 1000


@dataclass(frozen=True, slots=True)
class OpenJobs:
    """How many jobs are in each open state, and when the first that is queued was stored."""

    queued: int
    submitting: int
    waiting: int
    oldest_queued_at: datetime | None


@dataclass(frozen=True, slots=True)
class InFlight:
    """Tasks that a provider has of ours, or may have; when the one that waits longest for its callback was sent."""

    tasks: int
    oldest_sent_at: datetime | None


def open_jobs(connection: Connection) -> OpenJobs:
    """What is open of all batches."""
    is_open = batches.c.finalized_at.is_(None)
    sums = [func.coalesce(func.sum(batch_figures.c[state]), 0).label(state) for state in OPEN_JOB_STATES]
    # An outer join, because SQLite begins one with its left side: the other way round it reads all figures.
    both = batches.outerjoin(batch_figures, batch_figures.c.batch_id == batches.c.id)
    counts = select(*sums).select_from(both).where(is_open)
    has_queued = exists().where(jobs.c.batch_id == batches.c.id, jobs.c.state == literally(JobState.QUEUED))
    oldest = select(func.min(batches.c.created_at)).where(is_open, has_queued)  # all jobs of a batch are as old as it
    row = connection.execute(counts.add_columns(oldest.scalar_subquery().label("oldest_queued_at"))).one()
    return OpenJobs(int(row.queued), int(row.submitting), int(row.waiting), row.oldest_queued_at)


def in_flight(connection: Connection, provider: str) -> InFlight:
    """What a provider has of ours now."""
    sent_at = func.coalesce(attempts.c.sent_at, attempts.c.created_at)
    oldest = func.min(sent_at).filter(attempts.c.state == literally(AttemptState.WAITING))
    query = select(func.count().label("tasks"), oldest.label("oldest_sent_at")).where(
        attempts.c.provider == provider, attempts.c.state.in_(each_literally(OPEN_ATTEMPT_STATES))
    )
    row = connection.execute(query).one()
    return InFlight(row.tasks, row.oldest_sent_at)


def last_callbacks(connection: Connection, since: datetime) -> Mapping[str, datetime]:
    """When the last callback of each provider came, of those that sent one of the newest thousand since then."""
    columns = (callbacks.c.provider, callbacks.c.received_at)
    newest = select(*columns).where(callbacks.c.id >= lowest(since)).order_by(callbacks.c.id.desc())
    found = newest.limit(_NEWEST_CALLBACKS).subquery()
    query = select(found.c.provider, func.max(found.c.received_at).label("at")).group_by(found.c.provider)
    return {row.provider: row.at for row in connection.execute(query)}


def failures(connection: Connection, since: datetime, limit: int) -> Sequence[Row[Any]]:
    """`error_code` and `jobs` of what failed since then, the most frequent first; of more than `limit` jobs the newest
    count."""
    newest = (
        select(jobs.c.error_code)
        .where(jobs.c.state == literally(JobState.FAILED), jobs.c.finished_at >= since)
        .order_by(jobs.c.finished_at.desc())
        .limit(limit)
        .subquery()
    )
    counted = func.count().label("jobs")
    query = select(newest.c.error_code, counted).group_by(newest.c.error_code)
    return connection.execute(query.order_by(counted.desc(), newest.c.error_code)).all()
