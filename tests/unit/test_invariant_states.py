"""The states that the invariants allow are those that the transitions reach, and no others."""

from collections import defaultdict

from app.states import JobState
from app.store.invariants.of_jobs import CURRENT, NO_ATTEMPT, PAST
from tests.test_architecture import steps


def test_a_current_attempt_may_have_exactly_the_states_that_jobs_can_get_into() -> None:
    reached: dict[JobState, set[str]] = defaultdict(set)
    for before, after in steps():
        for case in (before, after):
            current = case.job.current_attempt_id
            reached[case.job.state].add(case.attempts[current].state if current else NO_ATTEMPT)
    assert {state: set(allowed) for state, allowed in CURRENT.items()} == reached


def test_a_past_attempt_may_have_exactly_the_states_that_jobs_can_get_into() -> None:
    reached: dict[JobState, set[str]] = {state: set() for state in JobState}
    for before, after in steps():
        for case in (before, after):
            past = [each.state for id_, each in case.attempts.items() if id_ != case.job.current_attempt_id]
            reached[case.job.state].update(past)
    assert {state: set(allowed) for state, allowed in PAST.items()} == reached
