"""Invariants of whole batches: nothing that was accepted is missing, and what was counted was counted right."""

from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, cast, exists, func, or_, select

from app.models import (
    FIGURES,
    attempts,
    batches,
    callbacks,
    each_literally,
    job_results,
    jobs,
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
)
from app.states import END_EVENTS, OPEN_JOB_STATES, Outcome
from app.store import figures
from app.store.dialects import seconds_between
from app.store.invariants.scope import Invariant, Scope, first_of

LISTENS_AFTER_SECONDS = 60.0
"""What happens while an endpoint is being made or changed may not see that; no transaction takes as long as this."""


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


def _ends_are_told(scope: Scope) -> Select[Any]:
    told = select(func.count()).where(
        webhook_events.c.batch_id == batches.c.id,
        webhook_events.c.round == batches.c.round,
        webhook_events.c.type.in_(END_EVENTS),
    )
    number = told.scalar_subquery()
    is_open = batches.c.finalized_at.is_(None)
    reason = first_of(
        (and_(is_open, number > 0), "it is open, and its end is in the outbox"),
        (and_(~is_open, number != 1), "it has ended, which is in the outbox " + cast(number, String) + " times"),
    )
    return select(batches.c.id, batches.c.id.label("batch_id"), reason).where(batches.c.id.in_(scope.batch_ids))


def _listeners_are_told(scope: Scope) -> Select[Any]:
    """Whoever is as they were when it happened: a change of an endpoint, or that it is enabled again, dates it."""
    endpoints, events = webhook_endpoints, webhook_events
    listens = and_(
        endpoints.c.owner == events.c.owner,
        endpoints.c.removed_at.is_(None),
        endpoints.c.disabled_at.is_(None),
        or_(~endpoints.c.of_named_batches, endpoints.c.id == batches.c.webhook_endpoint_id),
        cast(endpoints.c.event_types, String).contains('"' + events.c.type + '"'),
        seconds_between(endpoints.c.updated_at, events.c.created_at) > LISTENS_AFTER_SECONDS,
    )
    has_delivery = exists().where(
        webhook_deliveries.c.event_id == events.c.id, webhook_deliveries.c.endpoint_id == endpoints.c.id
    )
    reason = first_of((~has_delivery, "an endpoint listens for it, and it is not on its way there, nor ever was"))
    return (
        select(events.c.id, events.c.batch_id, reason)
        .select_from(events)
        .join(batches, batches.c.id == events.c.batch_id)
        .join(endpoints, listens)
        .where(events.c.batch_id.in_(scope.batch_ids))
    )


def _figures_are_right(scope: Scope) -> Select[Any]:
    compared = figures.compared(scope.batch_ids).subquery()
    pairs = [(name, compared.c[f"kept_{name}"], compared.c[f"counted_{name}"]) for name in FIGURES]
    reason = first_of(*((kept != counted, _differs(name, kept, counted)) for name, kept, counted in pairs))
    return select(compared.c.id, compared.c.id.label("batch_id"), reason)


def _differs(name: str, kept: ColumnElement[int], counted: ColumnElement[int]) -> ColumnElement[str]:
    return f"{name}: kept as " + cast(kept, String) + ", counted " + cast(counted, String)


def _callbacks_fit(scope: Scope) -> Select[Any]:
    """The attempt of an orphan may be here: one that has not been looked for since it turned up, or was discarded."""
    is_orphan = callbacks.c.outcome == Outcome.ORPHAN
    is_matched = exists().where(
        job_results.c.job_id == callbacks.c.job_id,
        job_results.c.callback_id == callbacks.c.id,
        job_results.c.source == "operator",
    )
    has_no_token = callbacks.c.attempt_id.is_(None)
    is_of_another = callbacks.c.job_id.is_distinct_from(attempts.c.job_id)
    reason = first_of(
        (callbacks.c.outcome.not_in(list(Outcome)), "its outcome is " + callbacks.c.outcome),
        (callbacks.c.times < 1, "it came " + cast(callbacks.c.times, String) + " times"),
        (and_(is_orphan, callbacks.c.job_id.is_not(None)), "it is an orphan and has a job"),
        (and_(~is_orphan, has_no_token, ~is_matched), "it came without a token and nobody matched it"),
        (and_(~is_orphan, ~has_no_token, attempts.c.id.is_(None)), "its attempt is not there"),
        (and_(~is_orphan, ~has_no_token, is_of_another), "its attempt is that of another job"),
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
        "ends_are_told",
        "A batch that has ended has one event in the outbox which says so; an open one has none.",
        "batch",
        _ends_are_told,
    ),
    Invariant(
        "listeners_are_told",
        "Each event of a batch is on its way, or was, to every endpoint that listened for it.",
        "evt",
        _listeners_are_told,
    ),
    Invariant(
        "figures_are_right",
        "The kept figures of a batch are those of its rows: states, submits, costs, late results, repeats.",
        "batch",
        _figures_are_right,
    ),
    Invariant(
        "callbacks_fit",
        "A kept body has a known outcome and, unless it is an orphan, its attempt, that attempt's job and its batch; "
        "one without a token has the job whose answer it is.",
        "callback",
        _callbacks_fit,
    ),
)
