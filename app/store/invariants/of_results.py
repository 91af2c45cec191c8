"""Invariants of answers: each completed job has one, and it is what the provider sent."""

from typing import Any

from sqlalchemy import Select, String, and_, case, cast, func, not_, select

from app.models import attempts, callbacks, job_results, jobs
from app.states import AttemptState, JobState
from app.store.invariants.scope import Invariant, Scope, first_of

SOURCES = ("callback", "response", "read_back", "reparse", "operator")


def _completed_has_one_result(scope: Scope) -> Select[Any]:
    is_completed = jobs.c.state == JobState.COMPLETED
    winners = func.count(attempts.c.id)
    has_result = job_results.c.job_id.is_not(None)
    # What somebody wrote is no attempt's: such a result names its own body in the place of one.
    is_written = and_(job_results.c.source == "operator", job_results.c.attempt_id == job_results.c.callback_id)
    expected = case((is_written, 0), else_=1)
    reason = first_of(
        (and_(is_completed, not_(has_result)), "it is completed and has no result"),
        (and_(has_result, not_(is_completed)), "it has a result and is " + jobs.c.state),
        (and_(is_completed, winners != expected), cast(winners, String) + " of its attempts are completed"),
        (
            func.max(cast(attempts.c.id, String)) != cast(job_results.c.attempt_id, String),
            "its result is that of another attempt than the completed one",
        ),
    )
    return (
        select(jobs.c.id, jobs.c.batch_id, reason)
        .select_from(jobs)
        .outerjoin(job_results, job_results.c.job_id == jobs.c.id)
        .outerjoin(attempts, and_(attempts.c.job_id == jobs.c.id, attempts.c.state == AttemptState.COMPLETED))
        .where(scope.has_job)
        .group_by(jobs.c.id, job_results.c.job_id)
    )


def _results_have_their_source(scope: Scope) -> Select[Any]:
    matched = callbacks.alias("matched")  # what an operator matched may have come without a token, so for no attempt
    has_none = and_(callbacks.c.id.is_(None), matched.c.id.is_(None))
    came_for = func.coalesce(callbacks.c.job_id, matched.c.job_id)
    reason = first_of(
        (job_results.c.source.not_in(SOURCES), "its source is " + job_results.c.source),
        (has_none, "no body that came for its attempt has the hash of its source"),
        (came_for.is_distinct_from(jobs.c.id), "its source came for another job"),
    )
    source = and_(callbacks.c.attempt_id == job_results.c.attempt_id, callbacks.c.sha256 == job_results.c.source_sha256)
    by_hand = and_(
        job_results.c.source == "operator",
        matched.c.id == job_results.c.callback_id,
        matched.c.attempt_id.is_(None),
        matched.c.sha256 == job_results.c.source_sha256,
    )
    return (
        select(jobs.c.id, jobs.c.batch_id, reason)
        .select_from(jobs)
        .join(job_results, job_results.c.job_id == jobs.c.id)
        .outerjoin(callbacks, source)
        .outerjoin(matched, by_hand)
        .where(scope.has_job)
    )


OF_RESULTS = (
    Invariant(
        "completed_has_one_result",
        "A completed job has exactly one result, that of its one completed attempt, or one that an operator wrote; any "
        "other job has none.",
        "job",
        _completed_has_one_result,
    ),
    Invariant(
        "results_have_their_source",
        "A result was read from a body that is kept, came for its attempt (or was matched to its job, or written, by "
        "an operator) and has the hash noted beside the result.",
        "job",
        _results_have_their_source,
    ),
)
