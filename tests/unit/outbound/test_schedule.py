"""When a webhook is tried again."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from app.outbound import schedule
from app.outbound.schedule import next_try_at, not_before

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEED = UUID(int=7)


def test_ten_tries_are_spread_over_three_days() -> None:
    assert sum(schedule.PAUSES, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)
    assert next_try_at(NOW, 9, SEED) is not None
    assert next_try_at(NOW, 10, SEED) is None


def test_each_pause_is_the_one_of_its_step_and_at_most_a_tenth_more() -> None:
    for step, pause in enumerate(schedule.PAUSES, start=1):
        due_at = next_try_at(NOW, step, SEED)
        assert due_at is not None
        assert pause <= due_at - NOW <= 1.1 * pause


def test_what_failed_together_comes_back_apart() -> None:
    assert len({next_try_at(NOW, 3, uuid4()) for _ in range(20)}) == 20


def test_the_same_failure_always_gets_the_same_answer() -> None:
    assert next_try_at(NOW, 3, SEED) == next_try_at(NOW, 3, SEED)


def test_a_receiver_that_asks_for_time_gets_it_and_not_more_than_a_day() -> None:
    assert not_before(NOW, 503, 120.0) == NOW + timedelta(seconds=120)
    assert not_before(NOW, 503, 1e9) == NOW + timedelta(days=1)


def test_one_that_is_overloaded_gets_a_minute_unasked() -> None:
    told = {status: not_before(NOW, status, None) for status in (429, 502, 504, 500, 404, None)}
    assert {status for status, until in told.items() if until == NOW + timedelta(minutes=1)} == {429, 502, 504}
    assert {status for status, until in told.items() if until is None} == {500, 404, None}
