"""Invariants of jobs and their attempts: states that fit together, counts, alarms, times."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, cast, exists, false, func, not_, or_, select

from app.models import attempts, each_literally, job_inputs, jobs
from app.states import OPEN_ATTEMPT_STATES, OPEN_JOB_STATES, AttemptState, JobState
from app.store.dialects import seconds_between
from app.store.invariants.scope import Invariant, Scope, first_of

CLOCKS_DIFFER_SECONDS = 2.0  # by which the machines that write these times may be apart

NO_ATTEMPT = "none"
_WITH_ATTEMPTS_LEFT = ("batch_expired", "marked_failed")
"""The errors of jobs that somebody, or the time, ended."""

_GIVEN_UP: frozenset[str] = frozenset(
    {AttemptState.FAILED, AttemptState.TIMED_OUT, AttemptState.REFUSED, AttemptState.CANCELLED}
)
CURRENT: Mapping[JobState, frozenset[str]] = {
    JobState.QUEUED: frozenset({NO_ATTEMPT, *_GIVEN_UP}),
    JobState.SUBMITTING: frozenset({AttemptState.SUBMITTING}),
    JobState.WAITING: frozenset({AttemptState.WAITING, AttemptState.UNKNOWN}),
    JobState.COMPLETED: frozenset({NO_ATTEMPT, AttemptState.COMPLETED, AttemptState.SUPERSEDED, *_GIVEN_UP}),
    JobState.FAILED: frozenset({NO_ATTEMPT, *_GIVEN_UP}),
    JobState.CANCELLED: frozenset({NO_ATTEMPT, *_GIVEN_UP}),
}
"""The states that the current attempt of a job may have."""
PAST: Mapping[JobState, frozenset[str]] = dict.fromkeys(JobState, _GIVEN_UP) | {
    JobState.COMPLETED: frozenset({AttemptState.COMPLETED, *_GIVEN_UP})
}
"""The states that its other attempts may have."""


def _allowed(pairs: Mapping[JobState, frozenset[str]], state: ColumnElement[str]) -> ColumnElement[bool]:
    return or_(*(and_(jobs.c.state == job, state.in_(sorted(allowed))) for job, allowed in pairs.items()))


def _of_jobs(scope: Scope, reason: ColumnElement[Any]) -> Select[Any]:
    return select(jobs.c.id, jobs.c.batch_id, reason).select_from(jobs).where(scope.has_job)


def _is_one_of(states: Iterable[str]) -> ColumnElement[bool]:
    return jobs.c.state.in_(each_literally(states))


def _jobs_are_whole(scope: Scope) -> Select[Any]:
    is_open = _is_one_of(OPEN_JOB_STATES)
    reason = first_of(
        (not_(_is_one_of(JobState)), "its state is " + jobs.c.state),
        (is_open != jobs.c.due_at.is_not(None), jobs.c.state + " with an alarm that does not fit"),
        (is_open != jobs.c.finished_at.is_(None), jobs.c.state + " with an end that does not fit"),
        (job_inputs.c.job_id.is_(None), "its input is not there"),
    )
    return _of_jobs(scope, reason).outerjoin(job_inputs, job_inputs.c.job_id == jobs.c.id)


def _one_open_attempt(scope: Scope) -> Select[Any]:
    number = func.count(attempts.c.id)
    reason = first_of((number > 1, cast(number, String) + " of its attempts are open"))
    is_open = attempts.c.state.in_(each_literally(OPEN_ATTEMPT_STATES))
    query = _of_jobs(scope, reason).join(attempts, and_(attempts.c.job_id == jobs.c.id, is_open))
    return query.group_by(jobs.c.id, jobs.c.batch_id)


def _current_attempt_fits(scope: Scope) -> Select[Any]:
    state = func.coalesce(attempts.c.state, NO_ATTEMPT)
    is_missing = and_(jobs.c.current_attempt_id.is_not(None), attempts.c.id.is_(None))
    reason = first_of(
        (is_missing, "its current attempt is not there"),
        (not_(_allowed(CURRENT, state)), jobs.c.state + ", and its current attempt is " + state),
    )
    current = and_(attempts.c.id == jobs.c.current_attempt_id, attempts.c.job_id == jobs.c.id)
    return _of_jobs(scope, reason).outerjoin(attempts, current)


def _past_attempts_fit(scope: Scope) -> Select[Any]:
    reason = first_of(
        (
            not_(_allowed(PAST, attempts.c.state)),
            "it is " + attempts.c.state + " and not the current one of its job, which is " + jobs.c.state,
        )
    )
    is_past = jobs.c.current_attempt_id.is_distinct_from(attempts.c.id)
    query = (
        select(attempts.c.id, jobs.c.batch_id, reason).select_from(attempts).join(jobs, jobs.c.id == attempts.c.job_id)
    )
    return query.where(scope.has_job, is_past)


def _attempts_are_counted(scope: Scope) -> Select[Any]:
    stored, last = func.count(attempts.c.id), jobs.c.last_number
    counted = func.count(attempts.c.id).filter(attempts.c.state != AttemptState.REFUSED)
    is_over = and_(jobs.c.attempts > jobs.c.max_attempts, jobs.c.state != JobState.COMPLETED)
    reason = first_of(
        (
            or_(stored != last, func.max(attempts.c.number) != last, func.min(attempts.c.number) != 1),
            "the numbers of its attempts have a gap",
        ),
        (counted != jobs.c.attempts, "it counts " + cast(jobs.c.attempts, String) + " of " + cast(counted, String)),
        (is_over, "it was submitted more often than it may be"),
    )
    query = _of_jobs(scope, reason).outerjoin(attempts, attempts.c.job_id == jobs.c.id)
    return query.group_by(jobs.c.id)


def _failed_for_a_reason(scope: Scope) -> Select[Any]:
    is_permanent = exists().where(
        attempts.c.id == jobs.c.current_attempt_id,
        attempts.c.state == AttemptState.FAILED,
        attempts.c.error_code == jobs.c.error_code,
        attempts.c.is_permanent.is_not(False),
    )
    has_attempts_left = and_(jobs.c.attempts < jobs.c.max_attempts, jobs.c.error_code.not_in(_WITH_ATTEMPTS_LEFT))
    reason = first_of(
        (jobs.c.error_code.is_(None), "it failed and says nothing of why"),
        (and_(has_attempts_left, not_(is_permanent)), "it failed of " + jobs.c.error_code + " with attempts left"),
    )
    return _of_jobs(scope, reason).where(jobs.c.state == JobState.FAILED)


def _alarms_are_seen_to(scope: Scope) -> Select[Any]:
    is_missed = jobs.c.due_at < scope.missed_before
    reason = first_of(
        (jobs.c.state == JobState.SUBMITTING, "its lease has ended and nobody took it over"),
        (jobs.c.state == JobState.WAITING, "its callback is overdue and nobody saw to it"),
    )
    return _of_jobs(scope, reason).where(_is_one_of((JobState.SUBMITTING, JobState.WAITING)), is_missed)


def _times_are_in_order(scope: Scope) -> Select[Any]:
    """An end may come before the ack (a callback overtakes it) and before the submit (its job is cancelled)."""
    number = "attempt " + cast(attempts.c.number, String)
    reason = first_of(
        (_is_before(jobs.c.finished_at, jobs.c.created_at), "it ended before it was created"),
        (_is_before(attempts.c.created_at, jobs.c.created_at), number + " is older than the job"),
        (_is_before(attempts.c.sent_at, attempts.c.created_at), number + " was sent before it was created"),
        (_is_before(attempts.c.acked_at, attempts.c.sent_at), number + " was acked before it was sent"),
        (_is_before(attempts.c.finished_at, attempts.c.created_at), number + " ended before it was created"),
    )
    return _of_jobs(scope, reason).outerjoin(attempts, attempts.c.job_id == jobs.c.id)


def _is_before(later: ColumnElement[Any], earlier: ColumnElement[Any]) -> ColumnElement[bool]:
    return func.coalesce(seconds_between(earlier, later) < -CLOCKS_DIFFER_SECONDS, false())


OF_JOBS = (
    Invariant(
        "jobs_are_whole",
        "A job has a known state and its input; an alarm while it is open, an end once it is not.",
        "job",
        _jobs_are_whole,
    ),
    Invariant("one_open_attempt", "No job has two open attempts.", "job", _one_open_attempt),
    Invariant(
        "current_attempt_fits",
        "A submitting or waiting job has an open attempt, its current one; any other job has none.",
        "job",
        _current_attempt_fits,
    ),
    Invariant(
        "past_attempts_fit",
        "An attempt that is not the current one of its job is closed, and completed only if its job is.",
        "attempt",
        _past_attempts_fit,
    ),
    Invariant(
        "attempts_are_counted",
        "Attempts are numbered without gaps, and a job counts those whose submit may have reached the provider.",
        "job",
        _attempts_are_counted,
    ),
    Invariant(
        "failed_for_a_reason",
        "A job has failed only of a permanent error, with its attempts used up, when its batch expired, or as an "
        "operator said.",
        "job",
        _failed_for_a_reason,
    ),
    Invariant(
        "alarms_are_seen_to",
        "No lease and no deadline is over for more than two sweeps.",
        "job",
        _alarms_are_seen_to,
    ),
    Invariant(
        "times_are_in_order",
        "A submit is created, then sent, then acked, and ends after it was created (two seconds aside).",
        "job",
        _times_are_in_order,
    ),
)
