"""Waiting: what the open jobs of a batch wait for, grouped, and how many are before one in line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    Subquery,
    and_,
    case,
    false,
    func,
    literal_column,
    or_,
    select,
    union,
)

from app.models import attempts, each_literally, jobs, literally
from app.states import OPEN_JOB_STATES, AttemptState, JobState
from app.store import attempts as attempt_rows
from app.store import figures
from app.store.jobs import are_due

LOOKED_AT = 250
"""So many open jobs of each kind are looked at from either end of the order of their alarms."""


@dataclass(frozen=True, slots=True)
class Group:
    """Open jobs that wait for the same: how many, since when the first does, and when the first alarm rings.

    `attempt_state` and `provider` are those of the current attempt, None before the first and of queued jobs; `is_due`:
    their alarm has rung; `is_overdue`: their callback should have come. `sent_at` is when the first was sent.
    `is_at_least`: there may be more of them among those that were not looked at.
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
    is_at_least: bool = False


def of_job(
    connection: Connection, job_id: UUID, now: datetime, *, sent_before: datetime | None = None
) -> Sequence[Group]:
    """What a job waits for, if it is open; its callback is overdue if it was sent before then, if that is known."""
    one = select(*_LOOKED).where(jobs.c.id == job_id, jobs.c.state.in_(each_literally(OPEN_JOB_STATES)))
    return _groups(connection, one.subquery(), now, sent_before)


def of_batch(
    connection: Connection, batch_id: UUID, now: datetime, *, sent_before: datetime | None = None
) -> Sequence[Group]:
    """What the open jobs of a batch wait for; callbacks are overdue of what was sent before then, if that is known.

    However many are open, `LOOKED_AT` are looked at from either end of what is in the same state; how many are in each
    is kept. So what is due and what is not are always found, and counted exactly if one of them is short.
    """
    ends = [
        _end(batch_id, state, earliest, suspect=suspect)
        for state in OPEN_JOB_STATES
        for suspect in (False, True)
        for earliest in (jobs.c.due_at.asc(), jobs.c.due_at.desc())
    ]
    found = _groups(connection, union(*(select(end.subquery()) for end in ends)).subquery(), now, sent_before)
    kept = figures.of_batches(connection, [batch_id])[batch_id]
    return [group for state in OPEN_JOB_STATES for group in _with_the_rest(found, state, kept[state])]


_LOOKED = (jobs.c.id, jobs.c.state, jobs.c.suspect, jobs.c.due_at, jobs.c.created_at, jobs.c.current_attempt_id)


def _end(batch_id: UUID, state: JobState, order: ColumnElement[datetime], *, suspect: bool) -> Select[Any]:
    """The jobs at one end of those of a batch in a state, in the words of the index."""
    is_open = jobs.c.state.in_(each_literally(OPEN_JOB_STATES))
    query = select(*_LOOKED).where(jobs.c.batch_id == batch_id, jobs.c.state == literally(state), is_open)
    # Written into the statement: not knowing how few are wanted, PostgreSQL would rather sort all.
    return query.where(jobs.c.suspect == suspect).order_by(order).limit(literal_column(str(LOOKED_AT), Integer))


def _with_the_rest(found: Sequence[Group], state: JobState, kept: int) -> Sequence[Group]:
    """The groups of a state, with those jobs of it that were not looked at.

    They lie between the two ends, so they are of a group that filled one: of the only one, or nobody knows of which.
    """
    of_state = [group for group in found if group.state is state]
    rest = kept - sum(group.jobs for group in of_state)
    if rest <= 0:
        return of_state
    full = [group for group in of_state if group.jobs >= LOOKED_AT] or of_state
    if len(full) == 1:
        return [replace(group, jobs=group.jobs + rest) if group in full else group for group in of_state]
    return [replace(group, is_at_least=group in full) for group in of_state]


def _groups(connection: Connection, looked: Subquery, now: datetime, sent_before: datetime | None) -> Sequence[Group]:
    is_due = looked.c.due_at <= now
    is_queued = looked.c.state == JobState.QUEUED
    since = case(
        (and_(is_queued, is_due), looked.c.due_at),
        (is_queued, func.coalesce(attempts.c.finished_at, looked.c.created_at)),
        else_=func.coalesce(attempts.c.acked_at, attempts.c.sent_at, attempts.c.created_at),
    )
    sent_at = func.coalesce(attempts.c.sent_at, attempts.c.created_at)
    is_overdue = and_(attempts.c.state == AttemptState.WAITING, sent_at <= sent_before) if sent_before else false()
    of_each = select(
        looked.c.state,
        case((~is_queued, attempts.c.state)).label("attempt_state"),
        case((~is_queued, attempts.c.provider)).label("provider"),
        is_due.label("is_due"),
        looked.c.suspect,
        case((~is_queued, is_overdue), else_=false()).label("is_overdue"),
        since.label("since"),
        looked.c.due_at.label("until"),
        sent_at.label("sent_at"),
    )
    each = of_each.outerjoin_from(looked, attempts, attempts.c.id == looked.c.current_attempt_id).subquery().c
    kinds = (each.state, each.attempt_state, each.provider, each.is_due, each.suspect, each.is_overdue)
    firsts = (func.min(each[name]).label(name) for name in ("since", "until", "sent_at"))
    query = select(*kinds, func.count().label("jobs"), *firsts).group_by(*kinds)
    return [_group(row) for row in connection.execute(query)]


def _group(row: Row[Any]) -> Group:
    return Group(
        JobState(row.state),
        None if row.attempt_state is None else AttemptState(row.attempt_state),
        bool(row.is_due),
        bool(row.suspect),
        row.jobs,
        row.since,
        row.until,
        bool(row.is_overdue),
        row.sent_at,
        row.provider,
    )


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
