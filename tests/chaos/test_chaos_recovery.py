"""Recovery is measured from the loss to its discovery, without the time in which nobody could look."""

import pytest

from app.runtime import LOOKUPS_AT_ONCE
from tests.chaos import recovery
from tests.chaos.faults import Done
from tests.chaos.planted import Planted, at, attempt, job

SETTINGS = {
    "LEASE_SECONDS": "4",
    "SWEEP_SECONDS": "0.5",
    "UNKNOWN_GRACE_SECONDS": "3",
    "CALLBACK_TIMEOUT_SECONDS": "6",
    "SUBMIT_TIMEOUT_SECONDS": "2",
}
BOUNDS = recovery.bounds(SETTINGS)
TOO_LONG = {"killed worker": 11, "lost answer": 8.5, "lost callback": 9.5, "lost callback, asked twice": 20}


def lost(kind: str, seconds: float) -> Planted:
    """A job whose first attempt was lost at once, and found so late."""
    first = {
        "killed worker": attempt(1, "timed_out", 0, seconds, error_code="lease_expired"),
        "lost answer": attempt(1, "timed_out", 0, seconds, error_code="timed_out"),
        "lost callback": attempt(1, "timed_out", 0, seconds, acked=0, error_code="timed_out"),
        "lost callback, asked twice": attempt(1, "timed_out", 0, seconds, acked=0, error_code="timed_out", asked=True),
    }
    planted = Planted()
    planted.put(job(), [first[kind]])
    return planted


def fault(target: str, began: float, ended: float) -> Done:
    return Done("killed", target, at(began), at(ended))


@pytest.mark.parametrize(("kind", "seconds"), TOO_LONG.items())
def test_a_loss_that_is_found_too_late_is_complained_of(kind: str, seconds: float) -> None:
    found = recovery.recoveries(lost(kind, seconds).books(), [])
    assert [(each.kind, each.seconds) for each in found] == [(kind, seconds)]
    assert len(recovery.exceeded(found, BOUNDS)) == 1
    in_time = recovery.recoveries(lost(kind, BOUNDS[kind].seconds).books(), [])
    assert recovery.exceeded(in_time, BOUNDS) == []


def test_an_answer_that_was_read_back_is_a_lost_callback_until_then() -> None:
    planted = Planted()
    planted.put(job(), [attempt(1, "completed", 0, 6.4, acked=0.1)], answered=6.3, source="read_back")
    (found,) = recovery.recoveries(planted.books(), [])
    assert (found.kind, found.seconds) == ("lost callback", pytest.approx(6.2))


def test_who_stands_in_line_to_be_asked_for_is_not_found_too_late() -> None:
    planted = Planted()
    for number in range(5 * LOOKUPS_AT_ONCE):
        found_at = 6.2 + number / 10
        planted.put(job(), [attempt(1, "completed", 0, found_at, acked=0)], answered=found_at, source="read_back")
    found = recovery.recoveries(planted.books(), [])
    assert max(each.seconds for each in found) > BOUNDS["lost callback"].seconds + recovery.SLACK_SECONDS
    assert recovery.exceeded(found, BOUNDS) == []


def test_who_is_found_late_beside_few_others_is_found_too_late() -> None:
    planted = lost("lost callback", 9.5)
    for number in range(LOOKUPS_AT_ONCE - 2):
        found_at = 6.2 + number / 6
        planted.put(job(), [attempt(1, "completed", 0, found_at, acked=0)], answered=found_at, source="read_back")
    assert len(recovery.exceeded(recovery.recoveries(planted.books(), []), BOUNDS)) == 1


@pytest.mark.parametrize(("target", "seconds"), [("everything", 7.0), ("up", 7.0), ("worker-1", 11.0)])
def test_time_in_which_no_sweep_could_see_does_not_count(target: str, seconds: float) -> None:
    books = lost("killed worker", 11).books()
    (found,) = recovery.recoveries(books, [fault(target, -1, 1), fault(target, 8, 20)])
    assert found.quiet_seconds == pytest.approx(seconds)


def test_a_batch_that_came_while_redis_was_away_is_found_by_the_sweep() -> None:
    planted = Planted()
    for number, (created, claimed) in enumerate([(0, 0.1), (5, 8), (6, 8.1), (20, 20.1)]):
        row = job(created=created)
        planted.put(row, [attempt(1, "completed", claimed, claimed + 1)])
        row.batch_id = type(row.batch_id)(int=number)
    found = recovery.recoveries(planted.books(), [fault("redis", 4, 7)])
    # The third stood in line behind the second; the first and the fourth had a bell to be rung with.
    assert [(each.kind, each.seconds) for each in found] == [("lost ring", 3.0)]
    assert len(recovery.exceeded(found, BOUNDS)) == 1
