"""Attempts: every submit, written before it leaves."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, exists, func, select

from app.ids import lowest
from app.models import attempts, each_literally, jobs, literally
from app.states import OPEN_ATTEMPT_STATES, Attempt, AttemptState, Case
from app.store import bulk

_CHANGING = (
    "state",
    "provider_task_id",
    "sent_at",
    "acked_at",
    "finished_at",
    "http_status",
    "error_code",
    "error_message",
    "cost_nano",
    "had_more_time",
    "is_permanent",
)


def of_jobs(connection: Connection, job_ids: Iterable[UUID]) -> Mapping[UUID, Mapping[UUID, Attempt]]:
    """All attempts of these jobs, by job and then by attempt id."""
    found: dict[UUID, dict[UUID, Attempt]] = defaultdict(dict)
    for row in connection.execute(select(attempts).where(attempts.c.job_id.in_(list(job_ids)))):
        found[row.job_id][row.id] = _attempt(row)
    return found


def rows_of_job(connection: Connection, job_id: UUID) -> Sequence[Row[Any]]:
    """The attempts of one job, first to last."""
    query = select(attempts).where(attempts.c.job_id == job_id).order_by(attempts.c.number)
    return connection.execute(query).all()


def owner(connection: Connection, attempt_id: UUID) -> UUID | None:
    """The job of an attempt; None: there is no such attempt."""
    found: UUID | None = connection.execute(select(attempts.c.job_id).where(attempts.c.id == attempt_id)).scalar()
    return found


def of_task(connection: Connection, task_id: str) -> UUID | None:
    """The job for which the provider made a task; None: none of ours."""
    query = select(attempts.c.job_id).where(attempts.c.provider_task_id == task_id).limit(1)
    found: UUID | None = connection.execute(query).scalar()
    return found


def counting_in_flight(provider: str) -> Select[int]:
    """How many tasks the provider has of ours, or may have; a query, to be part of others."""
    return select(func.count()).where(
        attempts.c.provider == provider, attempts.c.state.in_(each_literally(OPEN_ATTEMPT_STATES))
    )


def submitting(provider: str) -> ColumnElement[bool]:
    """That a worker is at a submit to this provider; a condition, to be part of queries."""
    return exists().where(
        attempts.c.provider == provider,
        attempts.c.state.in_(each_literally(OPEN_ATTEMPT_STATES)),  # in the words of the index
        attempts.c.state == literally(AttemptState.SUBMITTING),
    )


def is_any_waiting_since(connection: Connection, provider: str, instant: datetime) -> bool:
    """Whether an unanswered task was accepted at `instant` or before."""
    query = select(attempts.c.id).where(
        attempts.c.provider == provider,
        attempts.c.state.in_(each_literally(OPEN_ATTEMPT_STATES)),
        attempts.c.state == AttemptState.WAITING,
        attempts.c.acked_at <= instant,
    )
    return connection.execute(query.limit(1)).first() is not None


def newest_accepted(
    connection: Connection, provider: str, after: datetime | None, until: datetime, limit: int
) -> Sequence[AttemptState]:
    """The states of the newest tasks that were accepted after `after` and no later than `until`; newest first.

    What its owner cancelled is left out. It goes back from the newest attempt, past those accepted since `until`, and
    no further than an hour before `after`: nothing waits that long to be accepted, and clocks differ less.
    """
    query = select(attempts.c.state).where(
        attempts.c.provider == provider, attempts.c.acked_at <= until, attempts.c.state != AttemptState.CANCELLED
    )
    if after is not None:
        query = query.where(attempts.c.acked_at > after, attempts.c.id >= lowest(after - timedelta(hours=1)))
    states = connection.execute(query.order_by(attempts.c.id.desc()).limit(limit)).scalars()
    return [AttemptState(state) for state in states]


def waits_since(sent_before: datetime) -> ColumnElement[bool]:
    """That a job's current attempt was accepted, and sent before then; a condition, to be part of queries of jobs."""
    return exists().where(
        attempts.c.id == jobs.c.current_attempt_id,
        attempts.c.state == literally(AttemptState.WAITING),
        func.coalesce(attempts.c.sent_at, attempts.c.created_at) <= sent_before,
    )


def sent_at(connection: Connection, attempt_ids: Iterable[UUID]) -> Mapping[UUID, datetime]:
    """When each of these attempts was sent, of those that the provider accepted and did not answer yet."""
    at = func.coalesce(attempts.c.sent_at, attempts.c.created_at)
    query = select(attempts.c.id, at.label("at")).where(attempts.c.id.in_(list(attempt_ids)))
    return {row.id: row.at for row in connection.execute(query.where(attempts.c.state == AttemptState.WAITING))}


def save(connection: Connection, changes: Sequence[tuple[Case, Case]]) -> None:
    """Write what changed between the two cases of each pair; what is closed comes before what is opened."""
    changed: list[dict[str, Any]] = []
    added: list[dict[str, Any]] = []
    for before, after in changes:
        for attempt in after.attempts.values():
            old = before.attempts.get(attempt.id)
            if old is None:
                added.append(_new_row(attempt, after.job.id))
            elif old != attempt:
                changed.append(_changed_row(old, attempt))
    bulk.change(connection, attempts, changed, guards=("state",))
    bulk.add(connection, attempts, added)


def _changed_row(old: Attempt, new: Attempt) -> dict[str, Any]:
    return {"id": old.id, "old_state": old.state} | {name: getattr(new, name) for name in _CHANGING}


def _new_row(attempt: Attempt, job_id: UUID) -> dict[str, Any]:
    row = {name: getattr(attempt, name) for name in ("id", "number", "provider", "created_at", *_CHANGING)}
    return row | {"job_id": job_id}


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        id=row.id,
        number=row.number,
        provider=row.provider,
        state=AttemptState(row.state),
        created_at=row.created_at,
        provider_task_id=row.provider_task_id,
        sent_at=row.sent_at,
        acked_at=row.acked_at,
        finished_at=row.finished_at,
        http_status=row.http_status,
        error_code=row.error_code,
        error_message=row.error_message,
        cost_nano=row.cost_nano,
        had_more_time=row.had_more_time,
        is_permanent=row.is_permanent,
    )
