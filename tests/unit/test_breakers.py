"""The breaker as a function of what the provider said, in order."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.providers.base import Accepted, Held, Rejected, SubmitOutcome, Unknown
from app.retry import Timing
from app.services.breakers import after
from app.store.breakers import CLOSED, Breaker
from app.transitions import Moment

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIMING = Timing(15, 60, 30, backoff_base_seconds=2, backoff_max_seconds=100)
ATTEMPT = UUID(int=1)

FAULT = Unknown("http_503", "HTTP 503", 503)
UNREACHED = Held("unreachable", "connection refused")
SLOW_DOWN = Held("rate_limited", "HTTP 429", 5.0, http_status=429)
NO_KEY = Held("key_refused", "HTTP 403", needs_operator=True, http_status=403)
GOOD = Accepted("task-1", 200)
BAD_JOB = Rejected("http_422", "HTTP 422", 422)


def fold(outcomes: Sequence[SubmitOutcome | None], breaker: Breaker = CLOSED, seconds: float = 0.0) -> Breaker:
    """What these make of a breaker that opens at three faults, so many seconds after noon."""
    moment = Moment(NOON + timedelta(seconds=seconds), TIMING)
    for outcome in outcomes:
        breaker = after(breaker, (ATTEMPT, outcome), 3, moment)
    return breaker


def open_for(breaker: Breaker, seconds: float = 0.0) -> float:
    assert breaker.until is not None
    return (breaker.until - NOON).total_seconds() - seconds


@pytest.mark.parametrize("fault", [FAULT, UNREACHED])
def test_it_opens_at_the_last_of_so_many_faults_in_a_row(fault: SubmitOutcome) -> None:
    assert fold([fault] * 2) == Breaker(faults=2)
    assert fold([fault] * 3).trips == 1
    assert 1 <= open_for(fold([fault] * 3)) <= 2


@pytest.mark.parametrize("success", [GOOD, BAD_JOB])
def test_a_success_between_faults_lets_them_count_anew(success: SubmitOutcome) -> None:
    assert fold([FAULT, FAULT, success, FAULT, FAULT]) == Breaker(faults=2)


@pytest.mark.parametrize("neither", [SLOW_DOWN, NO_KEY, None])
def test_what_is_no_fault_and_no_success_counts_for_neither(neither: SubmitOutcome | None) -> None:
    assert fold([neither] * 9) == CLOSED
    assert fold([FAULT, FAULT, neither, FAULT]).trips == 1


def test_late_faults_of_what_was_under_way_do_not_keep_it_open_longer() -> None:
    opened = fold([FAULT] * 3)
    assert fold([FAULT] * 9, opened, 0.5) == opened


def test_a_fault_after_its_end_opens_it_again_for_longer_and_at_last_for_the_longest_backoff() -> None:
    breaker, seconds, waits = CLOSED, 0.0, []
    for _ in range(8):
        breaker = fold([FAULT] * (3 if breaker == CLOSED else 1), breaker, seconds)
        waits.append(open_for(breaker, seconds))
        seconds += waits[-1]
    assert breaker.trips == 8
    assert all(min(100, 2.0**n) / 2 <= wait <= min(100, 2.0**n) for n, wait in enumerate(waits, start=1))


@pytest.mark.parametrize("seconds", [0.5, 60.0])
def test_one_success_closes_it_whether_or_not_its_time_is_over(seconds: float) -> None:
    assert fold([GOOD], fold([FAULT] * 3), seconds) == CLOSED


def test_an_attempt_that_was_only_slowed_down_leaves_it_half_open() -> None:
    opened = fold([FAULT] * 3)
    assert fold([SLOW_DOWN, None], opened, 60.0) == opened
