"""Faults that are easily made, to be planted on purpose: whoever searches has to find each of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pytest

from app import transitions
from app.db import Connection
from app.retry import Timing
from app.services import moves, salvage, sweeps
from app.states import AttemptState, Case, JobState, Outcome
from app.store import limits
from app.transitions import AlarmRang, Answered, Cancelled, Moment, Refused, Step, endings, results, submits

Plant = Callable[[pytest.MonkeyPatch], None]


def siblings_stay_open(patch: pytest.MonkeyPatch) -> None:
    """An answer of an earlier attempt completes the job, and the attempt under way is not closed."""

    def answered(case: Case, event: Answered, moment: Moment) -> Step:
        step = results.answered(case, event, moment)
        for sibling in case.attempts.values():
            if sibling.id != event.attempt_id:
                step = Step(step.case.with_attempt(sibling.id, state=sibling.state), step.outcome)
        return step

    patch.setitem(transitions._MOVES, Answered, answered)


def an_old_attempts_failure_counts(patch: pytest.MonkeyPatch) -> None:
    """The fence is gone: any attempt's failure moves the job."""
    patch.setattr(results, "holds", lambda case, _attempt, *_states: case.job.is_open)


def the_ack_undoes_the_callback(patch: pytest.MonkeyPatch) -> None:
    """An ack that is written after the callback sets the job back to waiting."""
    patch.setattr(submits, "holds", lambda case, _attempt, *_states: case.job.state != JobState.CANCELLED)


def a_late_answer_is_thrown_away(patch: pytest.MonkeyPatch) -> None:
    """What comes for a failed job is kept, and helps nobody."""

    def answered(case: Case, event: Answered, moment: Moment) -> Step:
        return results.answered(case, event, moment) if case.job.is_open else Step(case, Outcome.LATE)

    patch.setitem(transitions._MOVES, Answered, answered)


def a_429_counts(patch: pytest.MonkeyPatch) -> None:
    """A submit that was certainly not accepted uses up an attempt."""

    def refused(case: Case, event: Refused, moment: Moment) -> Step:
        step = submits.refused(case, event, moment)
        return Step(step.case.with_job(attempts=case.job.attempts), step.outcome)

    patch.setitem(transitions._MOVES, Refused, refused)


def an_unknown_outcome_is_not_waited_for(patch: pytest.MonkeyPatch) -> None:
    """A submit that may have been accepted is repeated at once."""
    patch.setattr(Timing, "grace_until", lambda _timing, now: now)


def the_alarm_rings_for_whoever_was_moved_meanwhile(patch: pytest.MonkeyPatch) -> None:
    """The sweep does not look again, under the lock, whether the job that it read is still overdue."""

    def alarm_rang(case: Case, event: AlarmRang, moment: Moment) -> Step:
        overdue = case.with_job(due_at=moment.now) if case.job.due_at else case
        return endings.alarm_rang(overdue, event, moment)

    patch.setitem(transitions._MOVES, AlarmRang, alarm_rang)


def a_cancel_rewrites_how_attempts_ended(patch: pytest.MonkeyPatch) -> None:
    """What has timed out is called cancelled, too: either may stand beside a cancelled job, only the move is wrong."""

    def cancelled(case: Case, event: Cancelled, moment: Moment) -> Step:
        step = endings.cancelled(case, event, moment)
        for attempt in case.attempts.values():
            if step.outcome is Outcome.APPLIED and attempt.state is AttemptState.TIMED_OUT:
                step = Step(step.case.with_attempt(attempt.id, state=AttemptState.CANCELLED), step.outcome)
        return step

    patch.setitem(transitions._MOVES, Cancelled, cancelled)


def a_stored_answer_is_paid_for_again(patch: pytest.MonkeyPatch) -> None:
    """A retry queues a job for which an answer is stored."""
    patch.setattr(salvage, "find", lambda *_: {})


def what_moves_is_not_counted(patch: pytest.MonkeyPatch) -> None:
    """A job that ends leaves the figures of its batch as they were."""

    def added(changes: Sequence[tuple[Case, Case]]) -> Mapping[UUID, Mapping[str, int]]:
        return counted([(before, after) for before, after in changes if after.job.is_open])

    counted = moves._added
    patch.setattr(moves, "_added", added)


def tasks_in_flight_are_not_counted(patch: pytest.MonkeyPatch) -> None:
    """The provider may have any number of our tasks."""

    def standing(connection: Connection, provider: str, now: datetime) -> limits.Standing:
        return replace(found(connection, provider, now), in_flight=0)

    found = limits.standing
    patch.setattr(limits, "standing", standing)


def nobody_looks_after_dead_workers(patch: pytest.MonkeyPatch) -> None:
    """What a worker took with it stays taken."""
    patch.setattr(sweeps, "STEPS", [step for step in sweeps.STEPS if step is not sweeps.expire_leases])


FAULTS: tuple[Plant, ...] = (
    siblings_stay_open,
    an_old_attempts_failure_counts,
    the_ack_undoes_the_callback,
    a_late_answer_is_thrown_away,
    a_429_counts,
    an_unknown_outcome_is_not_waited_for,
    a_cancel_rewrites_how_attempts_ended,
    a_stored_answer_is_paid_for_again,
    what_moves_is_not_counted,
    tasks_in_flight_are_not_counted,
    nobody_looks_after_dead_workers,
)

OF_ORDER: tuple[Plant, ...] = (the_alarm_rings_for_whoever_was_moved_meanwhile,)
"""Only something that happens between two transactions of another process shows these."""
