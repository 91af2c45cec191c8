"""Who is being sent to in this process, so that a slow receiver holds up no other."""

import threading
from collections import Counter
from collections.abc import Callable, Collection
from typing import TypeVar
from uuid import UUID

T = TypeVar("T")


class Crowds:
    """Counts the sends that are under way to each endpoint, and says which have `most`."""

    def __init__(self, most: int = 1) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._counts: Counter[UUID] = Counter()

    def take(self, choose: Callable[[Collection[UUID]], T | None], endpoint_of: Callable[[T], UUID]) -> T | None:
        """What `choose` chooses, given the endpoints that are crowded; its endpoint counts until `leave`."""
        # One at a time: two that choose at once would both see the same room.
        with self._lock:
            chosen = choose([endpoint for endpoint, number in self._counts.items() if number >= self._most])
            if chosen is not None:
                self._counts[endpoint_of(chosen)] += 1
            return chosen

    def leave(self, endpoint_id: UUID) -> None:
        """A send is over."""
        with self._lock:
            self._counts[endpoint_id] -= 1
            if not self._counts[endpoint_id]:
                del self._counts[endpoint_id]
