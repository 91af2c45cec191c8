"""Charts as plain functions."""

import pytest

from app.admin.charts import bars

TONES = ("good", "bad")


def test_the_highest_bar_fills_the_chart_and_the_others_have_their_share() -> None:
    highest, half = bars([(30, 10), (20, 0)], TONES)
    assert [(piece.tone, piece.top, piece.height) for piece in highest.pieces] == [("good", 25, 75), ("bad", 0, 25)]
    assert [(piece.tone, piece.top, piece.height) for piece in half.pieces] == [("good", 50, 50)]


def test_bars_stand_where_their_values_do_and_nothing_has_none() -> None:
    first, third = bars([(1, 0), (0, 0), (1, 0), (0, 0)], TONES)
    assert (first.left, third.left) == (0, 50)
    assert first.width < 25


def test_one_failed_job_of_many_thousands_can_be_seen_and_nothing_stands_out_of_the_chart() -> None:
    (bar,) = bars([(50_000, 1)], TONES)
    completed, failed = bar.pieces
    assert failed.height > 1.5
    assert failed.top == pytest.approx(0, abs=0.1)
    assert completed.top + completed.height == pytest.approx(100, abs=0.1)


def test_a_chart_of_nothing_is_empty() -> None:
    assert bars([(0, 0)] * 60, TONES) == ()
    assert bars([], TONES) == ()
