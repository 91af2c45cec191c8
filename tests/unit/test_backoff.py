"""Backoff and alarms: when a job may go again, and how long each step may take."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.retry import Timing

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
TIMING = Timing(
    lease_seconds=45.0,
    callback_timeout_seconds=600.0,
    unknown_grace_seconds=300.0,
    backoff_base_seconds=2.0,
    backoff_max_seconds=100.0,
)


def wait(tries: int, seed: UUID) -> float:
    return (TIMING.backoff_until(NOW, tries, seed) - NOW).total_seconds()


def test_each_step_has_its_own_alarm() -> None:
    assert TIMING.lease_until(NOW) == NOW + timedelta(seconds=45)
    assert TIMING.callback_due(NOW) == NOW + timedelta(seconds=600)
    assert TIMING.grace_until(NOW) == NOW + timedelta(seconds=300)


@pytest.mark.parametrize(("tries", "ceiling"), [(1, 2), (2, 4), (3, 8), (6, 64), (7, 100), (8, 100), (100_000, 100)])
def test_the_wait_doubles_up_to_its_limit(tries: int, ceiling: float) -> None:
    waits = [wait(tries, UUID(int=seed)) for seed in range(200)]
    assert ceiling / 2 <= min(waits) < ceiling * 0.55
    assert ceiling * 0.95 < max(waits) <= ceiling


def test_the_same_failure_always_waits_as_long() -> None:
    seed = uuid4()
    assert wait(3, seed) == wait(3, seed)


def test_jobs_that_failed_together_do_not_come_back_together() -> None:
    waits = {wait(5, UUID(int=seed)) for seed in range(50)}
    assert len(waits) == 50


def test_fractions_of_a_second_are_kept() -> None:
    quick = Timing(0.3, 0.2, 0.1, backoff_base_seconds=0.01, backoff_max_seconds=0.05)
    assert quick.lease_until(NOW) == NOW + timedelta(milliseconds=300)
    assert timedelta(milliseconds=5) <= quick.backoff_until(NOW, 1, uuid4()) - NOW <= timedelta(milliseconds=10)


@settings(deadline=None)
@given(st.integers(1, 10**9), st.uuids(), st.floats(0.001, 2_592_000), st.floats(0.001, 2_592_000))
def test_no_number_of_tries_and_no_setting_breaks_the_bounds(tries: int, seed: UUID, base: float, most: float) -> None:
    timing = Timing(1.0, 1.0, 1.0, base, most)
    waited = (timing.backoff_until(NOW, tries, seed) - NOW).total_seconds()
    ceiling = min(most, base * 2.0 ** min(tries - 1, 30))
    assert ceiling / 2 - 1e-6 <= waited <= ceiling + 1e-6
