"""Who waits for a job to end is told, when it ends in this process; elsewhere nobody knows of them."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import UUID


class Endings:
    """Events by batch, each set when a job of its batch has ended and that is committed."""

    def __init__(self) -> None:
        self._events: dict[UUID, set[threading.Event]] = defaultdict(set)
        self._lock = threading.Lock()

    @contextmanager
    def of(self, batch_id: UUID) -> Iterator[threading.Event]:
        """An event that is set, in the block, when a job of this batch ends here; whoever waits clears it."""
        event = threading.Event()
        with self._lock:
            self._events[batch_id].add(event)
        try:
            yield event
        finally:
            with self._lock:
                self._events[batch_id].discard(event)
                if not self._events[batch_id]:
                    del self._events[batch_id]

    def tell(self, batch_ids: Iterable[UUID]) -> None:
        """Jobs of these batches have ended."""
        with self._lock:
            for batch_id in self._events.keys() & set(batch_ids):
                for event in self._events[batch_id]:
                    event.set()
