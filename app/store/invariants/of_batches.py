"""Invariants of whole batches: nothing that was accepted is missing, and what was counted was counted right."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, ScalarSelect, Select, String, and_, case, cast, exists, func, select

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
    found = select(
        batches.c.id,
        *(count.label(name) for name, count in _counted().items()),
        *(_frozen(name).label(f"frozen_{name}") for name in _counted()),
    ).where(batches.c.id.in_(scope.batch_ids), batches.c.finalized_at.is_not(None))
    rows = found.subquery()
    reason = first_of(
        *(
            (
                rows.c[name].is_distinct_from(rows.c[f"frozen_{name}"]),
                _differs(name, rows.c[name], rows.c[f"frozen_{name}"]),
            )
            for name in _counted()
        )
    )
    return select(rows.c.id, rows.c.id.label("batch_id"), reason)


def _counted() -> dict[str, ScalarSelect[Any]]:
    """What is frozen of a batch, counted anew."""
    was_sent = attempts.c.state != AttemptState.REFUSED
    is_late = callbacks.c.outcome == Outcome.LATE
    of_jobs = select(func.count()).select_from(jobs).where(jobs.c.batch_id == batches.c.id)
    sums: dict[str, Select[Any]] = {str(state): of_jobs.where(jobs.c.state == state) for state in JobState}
    sums |= {
        "submits": _of_attempts(func.count()).where(was_sent),
        "submitted_jobs": _of_attempts(func.count(attempts.c.job_id.distinct())).where(was_sent),
        "cost_nano": _of_attempts(func.coalesce(func.sum(attempts.c.cost_nano), 0)),
        "late": select(func.count()).where(callbacks.c.batch_id == batches.c.id, is_late),
        "repeats": select(func.coalesce(func.sum(callbacks.c.times - 1), 0)).where(
            callbacks.c.batch_id == batches.c.id
        ),
    }
    return {name: query.correlate(batches).scalar_subquery() for name, query in sums.items()}


def _of_attempts(number: ColumnElement[int]) -> Select[Any]:
    joined = select(number).select_from(attempts).join(jobs, jobs.c.id == attempts.c.job_id)
    return joined.where(jobs.c.batch_id == batches.c.id)


def _frozen(name: str) -> ColumnElement[int]:
    return cast(batches.c.final_figures[name].as_string(), BigInteger)


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
