"""Invariants of whole batches: nothing that was accepted is missing, and what was counted was counted right."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, String, Subquery, and_, case, cast, exists, func, select

from app.models import attempts, batches, callbacks, each_literally, jobs
from app.states import OPEN_JOB_STATES, AttemptState, JobState, Outcome
from app.store.invariants.scope import Invariant, Scope, first_of


def _jobs_are_all_there(scope: Scope) -> Select[Any]:
    total, stored = batches.c.total, func.count(jobs.c.id)
    left_out = batches.c.line_errors["total"].as_integer()  # problems, so at least as many as lines
    reason = first_of(
        (stored != total, "it has " + cast(stored, String) + " jobs, " + cast(total, String) + " were accepted"),
        (func.count(jobs.c.custom_id.distinct()) != total, "two of its jobs have one custom_id"),
        (func.count(jobs.c.position.distinct()) != total, "two of its jobs have one position"),
        (func.min(jobs.c.position) < 0, "one of its jobs stands before the first"),
        (func.max(jobs.c.position) >= total + left_out, "the positions of its jobs have a gap"),
    )
    query = select(batches.c.id, batches.c.id.label("batch_id"), reason).select_from(batches)
    query = query.outerjoin(jobs, jobs.c.batch_id == batches.c.id).where(batches.c.id.in_(scope.batch_ids))
    return query.group_by(batches.c.id)


def _batches_end(scope: Scope) -> Select[Any]:
    is_open = batches.c.finalized_at.is_(None)
    has_open = exists().where(jobs.c.batch_id == batches.c.id, jobs.c.state.in_(each_literally(OPEN_JOB_STATES)))
    last_end = select(func.max(jobs.c.finished_at)).where(jobs.c.batch_id == batches.c.id).scalar_subquery()
    missed = scope.missed_before
    reason = first_of(
        (and_(~is_open, has_open), "it is finalized and has open jobs"),
        (and_(is_open, has_open, batches.c.expires_at < missed), "it has expired and has open jobs"),
        (and_(is_open, has_open, batches.c.cancel_requested_at < missed), "it was cancelled and has open jobs"),
        (and_(is_open, ~has_open, last_end < missed), "all of its jobs have ended and it is not finalized"),
    )
    return select(batches.c.id, batches.c.id.label("batch_id"), reason).where(batches.c.id.in_(scope.batch_ids))


def _figures_are_right(scope: Scope) -> Select[Any]:
    sums = (_of_jobs(scope), _of_attempts(scope), _of_callbacks(scope))
    counted = {column.name: func.coalesce(column, 0) for sum_ in sums for column in sum_.c if column.name != "batch_id"}
    frozen = {name: cast(batches.c.final_figures[name].as_string(), BigInteger) for name in counted}
    reason = first_of(
        *(
            (number.is_distinct_from(frozen[name]), _differs(name, number, frozen[name]))
            for name, number in counted.items()
        )
    )
    query = select(batches.c.id, batches.c.id.label("batch_id"), reason).select_from(batches)
    for sum_ in sums:
        query = query.outerjoin(sum_, sum_.c.batch_id == batches.c.id)
    return query.where(batches.c.id.in_(scope.batch_ids), batches.c.finalized_at.is_not(None))


def _of_jobs(scope: Scope) -> Subquery:
    counts = (func.count().filter(jobs.c.state == state).label(state) for state in JobState)
    chosen = select(jobs.c.batch_id, *counts).where(jobs.c.batch_id.in_(scope.batch_ids))
    return chosen.group_by(jobs.c.batch_id).subquery()


def _of_attempts(scope: Scope) -> Subquery:
    was_sent = attempts.c.state != AttemptState.REFUSED
    query = select(
        jobs.c.batch_id,
        func.count().filter(was_sent).label("submits"),
        func.count(attempts.c.job_id.distinct()).filter(was_sent).label("submitted_jobs"),
        func.sum(attempts.c.cost_nano).label("cost_nano"),
    )
    query = query.select_from(attempts).join(jobs, jobs.c.id == attempts.c.job_id)
    return query.where(jobs.c.batch_id.in_(scope.batch_ids)).group_by(jobs.c.batch_id).subquery()


def _of_callbacks(scope: Scope) -> Subquery:
    query = select(
        callbacks.c.batch_id,
        func.count().filter(callbacks.c.outcome == Outcome.LATE).label("late"),
        func.sum(callbacks.c.times - 1).label("repeats"),
    )
    return query.where(callbacks.c.batch_id.in_(scope.batch_ids)).group_by(callbacks.c.batch_id).subquery()


def _differs(name: str, counted: ColumnElement[int], frozen: ColumnElement[int]) -> ColumnElement[str]:
    told = case((frozen.is_(None), "nothing"), else_=cast(frozen, String))
    return f"{name}: frozen as " + told + ", counted " + cast(counted, String)


def _callbacks_fit(scope: Scope) -> Select[Any]:
    is_orphan = callbacks.c.outcome == Outcome.ORPHAN
    reason = first_of(
        (callbacks.c.outcome.not_in(list(Outcome)), "its outcome is " + callbacks.c.outcome),
        (callbacks.c.times < 1, "it came " + cast(callbacks.c.times, String) + " times"),
        (and_(is_orphan, callbacks.c.job_id.is_not(None)), "it is an orphan and has a job"),
        (and_(~is_orphan, attempts.c.id.is_(None)), "its attempt is not there"),
        (callbacks.c.job_id.is_distinct_from(attempts.c.job_id), "its attempt is that of another job"),
        (and_(~is_orphan, jobs.c.batch_id.is_distinct_from(callbacks.c.batch_id)), "its job is that of another batch"),
    )
    return (
        select(callbacks.c.id, callbacks.c.batch_id, reason)
        .select_from(callbacks)
        .outerjoin(attempts, attempts.c.id == callbacks.c.attempt_id)
        .outerjoin(jobs, jobs.c.id == callbacks.c.job_id)
        .where(callbacks.c.batch_id.in_(scope.batch_ids))
    )


OF_BATCHES = (
    Invariant(
        "jobs_are_all_there",
        "A batch has every job that was accepted, at its position, each with a custom_id of its own.",
        "batch",
        _jobs_are_all_there,
    ),
    Invariant(
        "batches_end",
        "A batch is finalized when, and only when, its last job has ended; expired and cancelled ones soon have no "
        "open job.",
        "batch",
        _batches_end,
    ),
    Invariant(
        "figures_are_right",
        "The figures of a finalized batch are those of its rows: states, submits, cost, late results, repeats.",
        "batch",
        _figures_are_right,
    ),
    Invariant(
        "callbacks_fit",
        "A kept body has a known outcome and, unless it is an orphan, its attempt, that attempt's job and its batch.",
        "callback",
        _callbacks_fit,
    ),
)
