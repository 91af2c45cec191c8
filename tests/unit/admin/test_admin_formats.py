"""Instants, durations, sums, bars and the timeline as plain functions."""

from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType

import pytest
from freezegun.api import FrozenDateTimeFactory

from app.admin.formats import ago, duration, money, number, pretty
from app.admin.signs import segments, sign
from app.admin.timeline import timeline
from app.states import AttemptState, JobState, Outcome
from tests.unit.admin.values import ATTEMPT_ID, NOW, a_callback, a_detail, a_job, an_attempt


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (-0.4, "in a moment"),
        (12, "12 s ago"),
        (59.9, "59 s ago"),
        (60, "1 min ago"),
        (3600, "1 h ago"),
        (47 * 3600, "47 h ago"),
        (48 * 3600, "2 d ago"),
        (-12, "in 12 s"),
        (-300, "in 5 min"),
    ],
)
def test_an_instant_is_told_from_now(clock: FrozenDateTimeFactory, seconds: float, text: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.42 s"), (1.25, "1.2 s"), (59.97, "1 m 00 s"), (184, "3 m 04 s"), (7500, "2 h 05 m")],
)
def test_a_duration_has_the_unit_that_suits_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [("0", "0"), ("0.0200", "0.02"), ("1234.5", "1,234.5"), ("100", "100"), ("1e-9", "0.000000001")]
)
def test_a_sum_has_no_idle_zeros_and_loses_nothing(value: str, text: str) -> None:
    assert money(Decimal(value)) == text


def test_a_count_has_thousands_separators() -> None:
    assert number(50000) == "50,000"


def test_any_stored_value_can_be_written_as_json() -> None:
    assert pretty(MappingProxyType({"ä": MappingProxyType({"x": Decimal("0.5")})})) == (
        '{\n  "ä": {\n    "x": "0.5"\n  }\n}'
    )


def test_a_bar_has_no_gap_and_no_empty_piece() -> None:
    pieces = segments({"queued": 10, "completed": 30, "failed": 0})
    assert [(p.state, p.left, p.width) for p in pieces] == [("completed", 0, 75), ("queued", 75, 25)]


def test_one_failed_job_of_many_can_be_seen() -> None:
    completed, failed = segments({"completed": 49_999, "failed": 1})
    assert failed.width > 0.9
    assert completed.width + failed.width == pytest.approx(100)


def test_a_bar_of_nothing_is_empty() -> None:
    assert segments({"queued": 0}) == ()


def test_every_state_has_a_sign_of_its_own() -> None:
    words = {*JobState, *AttemptState, *Outcome, "in_progress", "cancelling", "expired"}
    assert all(sign(word).symbol != "•" for word in words)
    assert sign("not yet invented").symbol == "•"


def test_the_timeline_tells_a_life_in_order_with_its_gaps() -> None:
    began = NOW - timedelta(minutes=2)
    attempt = an_attempt(
        state="completed",
        provider_task_id="t-1",
        sent_at=began + timedelta(seconds=1),
        acked_at=began + timedelta(seconds=2),
        finished_at=began + timedelta(seconds=9),
    )
    job = a_job(finished_at=began + timedelta(seconds=9))
    callback = a_callback(received_at=began + timedelta(seconds=9), times=2)
    entries = timeline(a_detail(job=job, attempts=(attempt,), callbacks=(callback,)))
    assert [(entry.title, entry.gap_seconds) for entry in entries] == [
        ("Job stored", None),
        ("Attempt 1 claimed", 60),
        ("Attempt 1 sent", 1),
        ("Attempt 1 accepted", 1),
        ("Callback for attempt 1 applied", 7),
        ("Attempt 1 completed", 0),
        ("Job completed", 0),
    ]
    assert entries[3].note == "task t-1"
    assert entries[4].note == "812 bytes, came 2 times"


def test_the_timeline_shows_a_callback_before_the_ack_where_it_happened() -> None:
    began = NOW - timedelta(minutes=2)
    attempt = an_attempt(acked_at=began + timedelta(seconds=5))
    callback = a_callback(attempt_id=ATTEMPT_ID, received_at=began + timedelta(seconds=3))
    titles = [entry.title for entry in timeline(a_detail(attempts=(attempt,), callbacks=(callback,)))]
    assert titles[-2:] == ["Callback for attempt 1 applied", "Attempt 1 accepted"]


def test_the_timeline_tells_why_an_attempt_ended_and_of_callbacks_without_one() -> None:
    attempt = an_attempt(state="refused", finished_at=NOW, error_code="rate_limited", error_message="slow down")
    callback = a_callback(attempt_id=None, outcome="orphan", detail="no such attempt")
    entries = {e.title: e.note for e in timeline(a_detail(attempts=(attempt,), callbacks=(callback,)))}
    assert entries["Attempt 1 refused"] == "rate_limited: slow down"
    assert entries["Callback orphan"] == "812 bytes, no such attempt"
