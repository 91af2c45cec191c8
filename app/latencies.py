"""Latencies: how long callbacks take, as a histogram that fades, and the time-out that is learned from it. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

BOUNDS = tuple(0.01 * 1.5**number for number in range(41))
"""The upper bounds of the buckets in seconds, from 10 ms to a little more than a day; each is half as much again."""

HALF_LIFE_SECONDS = 86400.0
"""In this time a callback's weight halves, so that a provider that became faster is followed within days; one that
became slower is at once, because its callbacks are soon more than one in a hundred."""

BUSY_HALF_LIFE_SECONDS = 300.0
ENOUGH_BUSY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many callbacks took how long: a weight for each bucket. What takes longer than a day counts as a day."""

    counts: tuple[float, ...] = (0.0,) * len(BOUNDS)

    @classmethod
    def of(cls, counts: Sequence[float]) -> Self:
        """One that was kept; with the buckets of another version it begins anew."""
        return cls(tuple(counts)) if len(counts) == len(BOUNDS) else cls()

    @property
    def total(self) -> float:
        """How many callbacks it holds, each by its weight."""
        return sum(self.counts)

    def faded(self, seconds: float) -> Self:
        """As it is so much later."""
        weight = 0.5 ** (seconds / HALF_LIFE_SECONDS)
        return type(self)(tuple(count * weight for count in self.counts))

    def with_more(self, latencies: Iterable[float]) -> Self:
        """With these callbacks too, each by its seconds."""
        counts = list(self.counts)
        for seconds in latencies:
            counts[min(bisect_left(BOUNDS, seconds), len(BOUNDS) - 1)] += 1
        return type(self)(tuple(counts))

    def quantile(self, share: float) -> tuple[float, float]:
        """Between how many seconds lies the latency that this share of the callbacks (0 to 1) does not exceed.

        Raises:
            ValueError: it is empty.
        """
        wanted, so_far = share * self.total, 0.0
        if not wanted > 0:
            raise ValueError("nothing has been counted")
        for number, count in enumerate(self.counts):
            so_far += count
            if count and so_far >= wanted * (1 - 1e-12):  # sums of fractions differ by their order
                return (BOUNDS[number - 1] if number else 0.0, BOUNDS[number])
        raise AssertionError("a share is at most 1")


@dataclass(frozen=True, slots=True)
class Patience:
    """How a time-out follows from latencies; durations in seconds.

    `least` is how many callbacks have to be known; with fewer nothing is learned.
    """

    factor: float
    floor: float
    ceiling: float
    least: int

    def knows(self, histogram: Histogram) -> bool:
        """Whether there is enough to learn from."""
        return histogram.total >= self.least * (1 - 1e-12)

    def limit(self, histogram: Histogram) -> float | None:
        """How long a callback may take: `factor` times what 99 of 100 take, between floor and ceiling."""
        if not self.knows(histogram):
            return None
        return min(self.ceiling, max(self.floor, self.factor * histogram.quantile(0.99)[1]))


@dataclass(frozen=True, slots=True)
class Pace:
    """How many callbacks came in how many seconds in which jobs were queued, the latest minutes before all others."""

    answers: float = 0.0
    seconds: float = 0.0

    @property
    def per_second(self) -> float | None:
        """Callbacks a second; None: they were not watched for long enough, or none came."""
        return self.answers / self.seconds if self.answers and self.seconds >= ENOUGH_BUSY_SECONDS else None

    def with_more(self, answers: float, seconds: float) -> Self:
        """With what came in the seconds since."""
        weight = 0.5 ** (seconds / BUSY_HALF_LIFE_SECONDS)
        return type(self)(self.answers * weight + answers, self.seconds * weight + seconds)
