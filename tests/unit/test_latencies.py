"""What a histogram tells of the latencies that were put into it, and the time-out that follows."""

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.latencies import BOUNDS, HALF_LIFE_SECONDS, Histogram, Pace, Patience

PATIENCE = Patience(factor=3.0, floor=60.0, ceiling=3600.0, least=100)
LATENCIES = st.lists(st.floats(0, 86400), min_size=1, max_size=300)
SHARES = st.floats(0.01, 1)


def of(latencies: Sequence[float]) -> Histogram:
    return Histogram().with_more(latencies)


def nearest_rank(latencies: Sequence[float], share: float) -> float:
    """The latency that this share of them does not exceed."""
    return sorted(latencies)[math.ceil(share * len(latencies) * (1 - 1e-12)) - 1]


# --- the histogram ---


def test_the_buckets_reach_from_a_hundredth_of_a_second_to_a_day() -> None:
    assert (BOUNDS[0], BOUNDS[-2] < 86400 < BOUNDS[-1], len(BOUNDS)) == (0.01, True, 41)
    assert all(upper / lower == pytest.approx(1.5) for lower, upper in pairwise(BOUNDS))


@given(LATENCIES, SHARES)
def test_a_quantile_lies_between_the_bounds_that_are_told(latencies: list[float], share: float) -> None:
    lower, upper = of(latencies).quantile(share)
    assert lower <= nearest_rank(latencies, share) <= upper
    assert not lower or upper / lower == pytest.approx(1.5)


@given(LATENCIES, SHARES, st.floats(0, 30 * 86400))
def test_fading_changes_no_quantile(latencies: list[float], share: float, seconds: float) -> None:
    assert of(latencies).faded(seconds).quantile(share) == of(latencies).quantile(share)


@given(LATENCIES, LATENCIES)
def test_the_order_in_which_callbacks_are_counted_does_not_matter(first: list[float], then: list[float]) -> None:
    assert of(first).with_more(then) == of(then).with_more(first) == of(first + then)
    assert of(first + then).total == len(first) + len(then)


def test_a_half_life_takes_half_of_the_weight() -> None:
    assert of([1.0] * 200).faded(HALF_LIFE_SECONDS).total == 100


def test_what_clocks_that_differ_make_of_a_latency_is_counted_at_an_end() -> None:
    assert of([-5.0]).quantile(1) == (0.0, BOUNDS[0])
    assert of([10.0**9]).quantile(1) == (BOUNDS[-2], BOUNDS[-1])


def test_an_empty_histogram_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="nothing has been counted"):
        Histogram().quantile(0.5)


def test_a_histogram_is_kept_as_a_list_and_one_of_other_buckets_begins_anew() -> None:
    histogram = of([0.1, 5.0])
    assert Histogram.of(list(histogram.counts)) == histogram
    assert Histogram.of([1.0, 2.0]) == Histogram()


# --- the time-out ---


@pytest.mark.parametrize(
    ("latencies", "limit"),
    [
        ([1.0] * 99, None),
        ([1.0] * 100, 60.0),
        ([50.0] * 100, pytest.approx(3 * 0.01 * 1.5**22)),
        ([50.0] * 99 + [3000.0], pytest.approx(3 * 0.01 * 1.5**22)),
        ([50.0] * 98 + [3000.0] * 2, 3600.0),
        ([90_000.0] * 100, 3600.0),
    ],
    ids=["too few", "floor", "three times", "one in a hundred", "two in a hundred", "ceiling"],
)
def test_the_time_out_is_a_multiple_of_the_99th_percentile_between_its_bounds(
    latencies: list[float], limit: float | None
) -> None:
    assert PATIENCE.limit(of(latencies)) == limit


@given(LATENCIES)
def test_a_time_out_never_leaves_its_bounds(latencies: list[float]) -> None:
    limit = PATIENCE.limit(of(latencies))
    assert (limit is None) == (len(latencies) < 100)
    assert limit is None or 60.0 <= limit <= 3600.0


@given(st.floats(0.01, 86400), st.floats(1, 4))
def test_a_provider_of_which_more_than_one_in_a_hundred_is_slow_gets_more_time(slow: float, factor: float) -> None:
    patience = Patience(factor, floor=0.01, ceiling=10.0**6, least=100)
    limit = patience.limit(of([0.01] * 98 + [slow] * 2))
    assert limit is not None
    assert limit >= slow * factor * (1 - 1e-9)


# --- the pace ---


def test_a_pace_is_known_after_ten_seconds() -> None:
    assert Pace().with_more(50, 9.9).per_second is None
    assert Pace().with_more(50, 10.0).per_second == 5.0
    assert Pace().with_more(0, 100.0).per_second is None


def test_a_pace_follows_the_latest_minutes() -> None:
    pace = Pace()
    for _ in range(600):
        pace = pace.with_more(10, 1.0)
    assert pace.per_second == pytest.approx(10)
    for _ in range(600):
        pace = pace.with_more(40, 1.0)
    assert pace.per_second is not None
    assert 30 < pace.per_second < 35
