"""Figures: what is counted of each batch, kept as the sum of what each transaction changed."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Subquery,
    delete,
    func,
    select,
    text,
    true,
)

from app.ids import new_id
from app.models import FIGURES, NOT_FOLDED, TOKENS, attempts, batch_figures, batches, callbacks, jobs
from app.states import MAYBE_ANSWERED_STATES, AttemptState, JobState, Outcome
from app.store import bulk

Figures = Mapping[str, int]

NONE_YET: Figures = dict.fromkeys(FIGURES, 0)


def add(
    connection: Connection,
    changes: Mapping[UUID, Figures],
    *,
    is_folded: bool = False,
    without_tokens: Collection[UUID] = (),
) -> None:
    """Write down by how much each batch's figures change; in the transaction that changes them, so they never drift.

    Nobody waits for anybody: each transaction adds rows of its own. `is_folded`: there is nothing to fold them with.
    `without_tokens`: batches of which nobody has counted what all answers took.
    """
    rows = [
        {"batch_id": batch_id, "id": new_id(), "is_folded": is_folded}
        | {name: change.get(name, 0) for name in FIGURES}
        | {name: None if batch_id in without_tokens else change.get(name, 0) for name in TOKENS}
        for batch_id, change in changes.items()
        if any(change.values())
    ]
    bulk.add(connection, batch_figures, rows)


def merged(*changes: Mapping[UUID, Figures]) -> Mapping[UUID, Figures]:
    """Several changes as one."""
    sums: dict[UUID, Counter[str]] = defaultdict(Counter)
    for change in changes:
        for batch_id, figures in change.items():
            sums[batch_id].update(figures)
    return sums


def of_batches(connection: Connection, batch_ids: Iterable[UUID]) -> Mapping[UUID, Figures]:
    """The figures of each of these batches, exact at this moment."""
    ids = list(batch_ids)
    sums = [func.sum(batch_figures.c[name]).label(name) for name in FIGURES]
    query = select(batch_figures.c.batch_id, *sums).where(batch_figures.c.batch_id.in_(ids))
    found = {row.batch_id: _figures(row) for row in connection.execute(query.group_by(batch_figures.c.batch_id))}
    return {batch_id: found.get(batch_id, NONE_YET) for batch_id in ids}


def in_all(connection: Connection, *names: str) -> Mapping[str, int]:
    """These figures of all batches together. It reads a row a batch, so it is for who looks seldom."""
    row = connection.execute(select(*(func.sum(batch_figures.c[name]).label(name) for name in names))).one()
    return {name: int(getattr(row, name) or 0) for name in names}


def not_folded(connection: Connection, limit: int) -> Sequence[UUID]:
    """Up to `limit` batches of which a job has moved since their figures were last folded."""
    query = select(batch_figures.c.batch_id).where(text(NOT_FOLDED)).distinct().limit(limit)
    return connection.execute(query).scalars().all()


@dataclass(frozen=True, slots=True)
class Folded:
    """The figures of a batch, and by how much they had changed since they were folded before."""

    all: Counter[str] = field(default_factory=Counter)
    new: Counter[str] = field(default_factory=Counter)


def fold(connection: Connection, batch_ids: Sequence[UUID]) -> Mapping[UUID, Folded]:
    """Make one row of all that a batch has. What is committed meanwhile stays beside it, for the next time."""
    taken = delete(batch_figures).where(batch_figures.c.batch_id.in_(batch_ids)).returning(*batch_figures.c)
    folded = {batch_id: Folded() for batch_id in batch_ids}
    untold = set()
    for row in connection.execute(taken):
        folded[row.batch_id].all.update(_figures(row, (*FIGURES, *TOKENS)))
        if not row.is_folded:
            folded[row.batch_id].new.update(_figures(row))
        if row.told is None and row.completed:
            untold.add(row.batch_id)
    sums = {batch_id: each.all for batch_id, each in folded.items()}
    add(connection, sums, is_folded=True, without_tokens=untold)
    return folded


def drift(connection: Connection, batch_id: UUID) -> Figures:
    """By how much the kept figures of a batch differ from what is there: nothing, if all is well."""
    row = connection.execute(compared([batch_id])).one_or_none()
    differences = {name: getattr(row, f"counted_{name}") - getattr(row, f"kept_{name}") for name in FIGURES if row}
    return {name: int(number) for name, number in differences.items() if number}


def compared(batch_ids: Sequence[UUID]) -> Select[Any]:
    """A query for each figure of these batches as it is kept and as it is counted: `kept_` and `counted_` and its name.

    It counts every job, attempt and callback of the batches, in one statement, so that what moves meanwhile is in both
    or in neither.
    """
    kept = _sums(batch_ids)
    counts = (_count_jobs(batch_ids), _count_attempts(batch_ids), _count_callbacks(batch_ids))
    counted = {column.name: column for count in counts for column in count.c}
    columns = [
        func.coalesce(source[name], 0).label(f"{kind}_{name}")
        for kind, source in (("kept", kept.c), ("counted", counted))
        for name in FIGURES
    ]
    query = select(batches.c.id, *columns).where(batches.c.id.in_(batch_ids))
    joined: FromClause = batches
    for part in (kept, *counts):
        joined = joined.outerjoin(part, part.c.batch_id == batches.c.id)
    return query.select_from(joined)


def _sums(batch_ids: Sequence[UUID]) -> Subquery:
    sums = (func.sum(batch_figures.c[name]).label(name) for name in FIGURES)
    query = select(batch_figures.c.batch_id, *sums).where(batch_figures.c.batch_id.in_(batch_ids))
    return query.group_by(batch_figures.c.batch_id).subquery()


def _count_jobs(batch_ids: Sequence[UUID]) -> Subquery:
    by_state = (func.count().filter(jobs.c.state == state).label(str(state)) for state in JobState)
    return select(jobs.c.batch_id, *by_state).where(jobs.c.batch_id.in_(batch_ids)).group_by(jobs.c.batch_id).subquery()


def _count_attempts(batch_ids: Sequence[UUID]) -> Subquery:
    was_sent = attempts.c.state != AttemptState.REFUSED
    may_be_answered = attempts.c.state.in_(MAYBE_ANSWERED_STATES)
    has_failed = attempts.c.state == AttemptState.FAILED
    is_idle = attempts.c.state.not_in((AttemptState.COMPLETED, AttemptState.FAILED))
    is_answered = jobs.c.state == JobState.COMPLETED
    counts = select(
        jobs.c.batch_id,
        func.count().filter(was_sent).label("submits"),
        func.count(attempts.c.job_id.distinct()).filter(was_sent).label("submitted_jobs"),
        _cost().label("cost_nano"),
        _cost(is_idle, ~is_answered).label("late_nano"),
        _cost(is_idle, is_answered).label("duplicate_nano"),
        _cost(has_failed).label("failed_nano"),
        (func.count().filter(may_be_answered) - func.count(attempts.c.job_id.distinct()).filter(may_be_answered)).label(
            "possibly_doubled"
        ),
    )
    of_batches = counts.select_from(attempts).join(jobs, jobs.c.id == attempts.c.job_id)
    return of_batches.where(jobs.c.batch_id.in_(batch_ids)).group_by(jobs.c.batch_id).subquery()


def _cost(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(attempts.c.cost_nano).filter(true(), *conditions), 0)


def _count_callbacks(batch_ids: Sequence[UUID]) -> Subquery:
    counts = select(
        callbacks.c.batch_id,
        func.count().filter(callbacks.c.outcome == Outcome.LATE).label("late"),
        func.coalesce(func.sum(callbacks.c.times - 1), 0).label("repeats"),
        func.count().filter(callbacks.c.source == "read_back").label("read_back"),
    )
    of_jobs = counts.where(callbacks.c.batch_id.in_(batch_ids), callbacks.c.job_id.is_not(None))
    return of_jobs.group_by(callbacks.c.batch_id).subquery()


def _figures(row: Any, names: Iterable[str] = FIGURES) -> dict[str, int]:
    return {name: int(getattr(row, name) or 0) for name in names}
