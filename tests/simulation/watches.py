"""Time and ids that are ours: the product asks a clock that only we move, and draws its ids from our seed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from random import Random
from uuid import UUID

import pytest

import app.clock
import app.ids

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """The true time, and `skew`: how far from it the watch is of whoever looks."""

    def __init__(self) -> None:
        self.now = START
        self.skew = timedelta(0)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return (self.now - START).total_seconds()

    def advance(self, seconds: float) -> None:
        self.advance_to(self.now + timedelta(seconds=seconds))

    def advance_to(self, instant: datetime) -> None:
        """Time never goes back, but a watch may."""
        self.now = max(self.now, instant)


class _Watch:
    """Stands where `app.clock` has `datetime`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self, _zone: tzinfo) -> datetime:
        return self._clock.now + self._clock.skew


@contextmanager
def ours(clock: Clock, random: Random) -> Iterator[None]:
    """As long as this lasts, the time is `clock`'s, and ids are versions 7 whose random part is drawn from `random`."""

    def uuid7() -> UUID:
        milliseconds = int((clock.now + clock.skew).timestamp() * 1000)
        return UUID(int=milliseconds << 80 | 7 << 76 | random.getrandbits(12) << 64 | 2 << 62 | random.getrandbits(62))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app.clock, "datetime", _Watch(clock))
        patch.setattr(app.ids, "uuid7", uuid7)
        yield
