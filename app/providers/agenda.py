"""What waits for its time, whoever takes it."""

import time
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count
from threading import Condition
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Agenda(Generic[Item]):
    """Items by the time from which they may be taken, those of one time in the order of their coming.

    Shared by threads.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._changed = Condition()
        self._numbers = count()
        self._waiting: list[tuple[float, int, Item]] = []
        self._is_closed = False

    def put(self, item: Item, delay_seconds: float) -> None:
        """Raises RuntimeError once it is closed."""
        with self._changed:
            if self._is_closed:
                raise RuntimeError("nothing more is taken")
            heappush(self._waiting, (self._monotonic() + delay_seconds, next(self._numbers), item))
            self._changed.notify()

    def take(self) -> Item | None:
        """The first, if its time has come."""
        with self._changed:
            return heappop(self._waiting)[2] if self._waiting and self._seconds() <= 0 else None

    def wait(self) -> Item | None:
        """The first, once its time has come; None: it was closed before that."""
        with self._changed:
            while not self._is_closed and (not self._waiting or self._seconds() > 0):
                self._changed.wait(self._seconds() if self._waiting else None)
            return None if self._is_closed else heappop(self._waiting)[2]

    def seconds_to_first(self) -> float | None:
        """None if there is none."""
        with self._changed:
            return self._seconds() if self._waiting else None

    def close(self) -> Sequence[Item]:
        """What is never taken."""
        with self._changed:
            self._is_closed = True
            left, self._waiting = self._waiting, []
            self._changed.notify_all()
        return [item for _, _, item in left]

    def _seconds(self) -> float:
        return self._waiting[0][0] - self._monotonic()
