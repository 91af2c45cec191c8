"""Jobs: the only place that writes a job's state."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, and_, false, or_, select

from app.models import CLAIMED_JOB_STATES, batches, each_literally, job_inputs, jobs, literally
from app.models import attempts as attempt_rows
from app.states import OPEN_JOB_STATES, Case, Job, JobState
from app.store import attempts, bulk, inputs, paging

_NAMES = 1000  # in one statement: databases bound the number of parameters

_CHANGING = (
    "state",
    "due_at",
    "current_attempt_id",
    "attempts",
    "last_number",
    "max_attempts",
    "suspect",
    "error_code",
    "error_message",
    "finished_at",
)


def add(connection: Connection, rows: Sequence[dict[str, Any]], asked: Sequence[dict[str, Any]]) -> None:
    """a: new jobs, queued, with their inputs."""
    _add(connection, JobState.QUEUED, rows, asked)


def add_failed(connection: Connection, rows: Sequence[dict[str, Any]], asked: Sequence[dict[str, Any]]) -> None:
    """a: new jobs that nobody may submit, so that no retry does either: there is no attempt that they have left."""
    _add(connection, JobState.FAILED, [row | {"max_attempts": 0} for row in rows], asked)


def _add(
    connection: Connection, state: JobState, rows: Sequence[dict[str, Any]], asked: Sequence[dict[str, Any]]
) -> None:
    blank = {"state": state, "attempts": 0, "last_number": 0, "suspect": False}
    bulk.add(connection, jobs, [blank | row for row in rows])
    bulk.add(connection, job_inputs, asked)


def are_due(provider: str, now: datetime, *, suspect: bool) -> ColumnElement[bool]:
    """That jobs are queued for this provider and their alarm has rung; a condition, to be part of queries."""
    return and_(
        jobs.c.provider == provider,
        jobs.c.state == literally(JobState.QUEUED),
        jobs.c.suspect == suspect,
        jobs.c.due_at <= now,
    )


@dataclass(frozen=True, slots=True)
class Eligible:
    """Which batches may be submitted from: none of those `held`, none created after `created_by`, if that is set, and
    then only those that fall back on `fallback`; and, if it is set, no job but `job_id`."""

    held: Sequence[UUID] = ()
    created_by: datetime | None = None
    fallback: str | None = None
    job_id: UUID | None = None


def claimable(
    connection: Connection, provider: str, now: datetime, limit: int, eligible: Eligible, *, suspect: bool
) -> Mapping[UUID, tuple[Case, inputs.Asked]]:
    """Up to `limit` queued jobs that are due, oldest alarm first, each locked; what others hold is passed over.

    A batch that is cancelled, expired or not `eligible` gives none.
    """
    query = (
        select(jobs, *inputs.ASKED)
        .join(batches, batches.c.id == jobs.c.batch_id)
        .join(job_inputs, job_inputs.c.job_id == jobs.c.id)
        .where(
            are_due(provider, now, suspect=suspect),
            batches.c.cancel_requested_at.is_(None),
            batches.c.expires_at > now,
            *_among(eligible),
        )
        .order_by(jobs.c.due_at, jobs.c.id)
        .limit(limit)
        .with_for_update(of=jobs, skip_locked=True)
    )
    rows = connection.execute(query).all()
    cases = _cases(connection, rows)
    return {row.id: (cases[row.id], inputs.asked(row)) for row in rows}


def _among(eligible: Eligible) -> Iterator[ColumnElement[bool]]:
    if eligible.held:
        yield jobs.c.batch_id.not_in(eligible.held)
    if eligible.created_by is not None:
        yield batches.c.created_at <= eligible.created_by
    if eligible.fallback is not None:
        yield batches.c.fallback_provider == eligible.fallback
    if eligible.job_id is not None:
        yield jobs.c.id == eligible.job_id


def lock(connection: Connection, job_ids: Iterable[UUID]) -> Mapping[UUID, Case]:
    """These jobs with all of their attempts, locked in the order of their ids; those that don't exist are left out."""
    query = select(jobs).where(jobs.c.id.in_(set(job_ids))).order_by(jobs.c.id)
    return _cases(connection, connection.execute(query.with_for_update()).all())


def lock_by_attempt(connection: Connection, attempt_ids: Iterable[UUID]) -> Mapping[UUID, Case]:
    """As `lock`, for the jobs of these attempts. The cases say which attempt is whose."""
    owners = select(attempt_rows.c.job_id).where(attempt_rows.c.id.in_(set(attempt_ids)))
    query = select(jobs).where(jobs.c.id.in_(owners)).order_by(jobs.c.id)
    return _cases(connection, connection.execute(query.with_for_update()).all())


def peek(connection: Connection, job_ids: Iterable[UUID]) -> Mapping[UUID, Case]:
    """As `lock`, without the lock: good for a look, not for a move."""
    return _cases(connection, connection.execute(select(jobs).where(jobs.c.id.in_(set(job_ids)))).all())


def _cases(connection: Connection, rows: Sequence[Row[Any]]) -> Mapping[UUID, Case]:
    submitted = [row.id for row in rows if row.last_number]
    known = attempts.of_jobs(connection, submitted) if submitted else {}
    return {row.id: Case(_job(row), known.get(row.id, {})) for row in rows}


def save(connection: Connection, changes: Sequence[tuple[Case, Case]]) -> None:
    """Write what changed between the two cases of each pair. The jobs must be locked.

    Raises:
        AssertionError: a row was changed under its lock.
    """
    changes = [(before, after) for before, after in changes if before != after]
    attempts.save(connection, changes)
    rows = [_changed_row(before.job, after.job) for before, after in changes if before.job != after.job]
    bulk.change(connection, jobs, rows, guards=("state", "current_attempt_id"))


def overdue(connection: Connection, state: JobState, now: datetime, limit: int) -> Mapping[UUID, datetime]:
    """Up to `limit` jobs in this state whose alarm has rung, oldest first, with that alarm."""
    claimed = jobs.c.state.in_(each_literally(CLAIMED_JOB_STATES))
    query = select(jobs.c.id, jobs.c.due_at).where(claimed, jobs.c.state == state, jobs.c.due_at <= now)
    return {row.id: row.due_at for row in connection.execute(query.order_by(jobs.c.due_at).limit(limit))}


def open_in_batch(connection: Connection, batch_id: UUID, limit: int) -> Sequence[UUID]:
    """Up to `limit` open jobs of a batch."""
    query = select(jobs.c.id).where(jobs.c.batch_id == batch_id, jobs.c.state.in_(each_literally(OPEN_JOB_STATES)))
    return connection.execute(query.limit(limit)).scalars().all()


def in_states(connection: Connection, batch_id: UUID, states: Sequence[JobState]) -> Sequence[UUID]:
    """All jobs of a batch that are in one of these states, in the order of their ids."""
    query = select(jobs.c.id).where(jobs.c.batch_id == batch_id, jobs.c.state.in_(states))
    return connection.execute(query.order_by(jobs.c.id)).scalars().all()


def failed_with(connection: Connection, batch_id: UUID, code: str, after: int, limit: int) -> Sequence[Row[UUID, int]]:
    """`id` and `position` of up to `limit` jobs of a batch that failed with this code, from behind `after`."""
    query = select(jobs.c.id, jobs.c.position).where(
        jobs.c.batch_id == batch_id,
        jobs.c.state == JobState.FAILED,
        jobs.c.position > after,
        jobs.c.error_code == code,
    )
    return connection.execute(query.order_by(jobs.c.position).limit(limit)).all()


def batches_of(connection: Connection, job_ids: Iterable[UUID]) -> Mapping[UUID, UUID]:
    """The batch of each of these jobs, in the order of their ids; those that don't exist are left out."""
    query = select(jobs.c.id, jobs.c.batch_id).where(jobs.c.id.in_(list(job_ids))).order_by(jobs.c.id)
    return {row.id: row.batch_id for row in connection.execute(query)}


def batches_with_failed(connection: Connection, code: str) -> Sequence[UUID]:
    """The batches that have such jobs. It reads all jobs that failed."""
    query = select(jobs.c.batch_id).distinct().where(jobs.c.state == JobState.FAILED, jobs.c.error_code == code)
    return connection.execute(query.order_by(jobs.c.batch_id)).scalars().all()


def named(connection: Connection, batch_id: UUID, custom_ids: Sequence[str]) -> Mapping[str, Row[UUID, str, str]]:
    """`id`, `custom_id` and `state` of those of these jobs that the batch has, by `custom_id`."""
    query = select(jobs.c.id, jobs.c.custom_id, jobs.c.state).where(jobs.c.batch_id == batch_id)
    found: dict[str, Row[UUID, str, str]] = {}
    for start in range(0, len(custom_ids), _NAMES):
        part = custom_ids[start : start + _NAMES]
        found |= {row.custom_id: row for row in connection.execute(query.where(jobs.c.custom_id.in_(part)))}
    return found


def get(connection: Connection, owner: str | None, job_id: UUID) -> Row[Any] | None:
    """One job; `owner` None: whoever's it is."""
    query = (
        select(jobs)
        .join(batches, batches.c.id == jobs.c.batch_id)
        .where(jobs.c.id == job_id, batches.c.removed_at.is_(None))
    )
    if owner is not None:
        query = query.where(batches.c.owner == owner)
    return connection.execute(query).one_or_none()


def page(
    connection: Connection,
    batch_id: UUID,
    states: Sequence[JobState],
    custom_id: str | None,
    after: int,
    limit: int,
    *,
    sent_before: datetime | None = None,
) -> Sequence[Row[Any]]:
    """Up to `limit` jobs of a batch in input order from behind position `after`.

    `sent_before`: beside those in `states`, those that wait for a callback since before then.
    """
    query = select(jobs).where(jobs.c.batch_id == batch_id, jobs.c.position > after)
    if custom_id is not None:
        is_overdue = attempts.waits_since(sent_before) if sent_before else false()
        in_states = jobs.c.state.in_(states if states or sent_before else JobState)
        query = query.where(jobs.c.custom_id == custom_id, or_(in_states, is_overdue))
    elif states or sent_before:
        query = query.where(jobs.c.position.in_(paging.positions(batch_id, states, after, limit, sent_before)))
    return connection.execute(query.order_by(jobs.c.position).limit(limit)).all()


def next_alarm(connection: Connection) -> datetime | None:
    """The earliest alarm of any claimed or waiting job."""
    query = select(jobs.c.due_at).where(jobs.c.state.in_(each_literally(CLAIMED_JOB_STATES)))
    return connection.execute(query.order_by(jobs.c.due_at).limit(1)).scalar()


def next_claim(connection: Connection, provider: str) -> datetime | None:
    """When the first queued job of a provider may be claimed."""
    due = [
        connection.execute(
            select(jobs.c.due_at)
            .where(jobs.c.provider == provider, jobs.c.state == literally(JobState.QUEUED), jobs.c.suspect == suspect)
            .order_by(jobs.c.due_at)
            .limit(1)
        ).scalar()
        for suspect in (False, True)
    ]
    return min((at for at in due if at is not None), default=None)


def _changed_row(old: Job, new: Job) -> dict[str, Any]:
    guard = {"id": old.id, "old_state": old.state, "old_current_attempt_id": old.current_attempt_id}
    return guard | {name: getattr(new, name) for name in _CHANGING}


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        batch_id=row.batch_id,
        provider=row.provider,
        state=JobState(row.state),
        due_at=row.due_at,
        current_attempt_id=row.current_attempt_id,
        attempts=row.attempts,
        last_number=row.last_number,
        max_attempts=row.max_attempts,
        suspect=row.suspect,
        error_code=row.error_code,
        error_message=row.error_message,
        finished_at=row.finished_at,
    )
