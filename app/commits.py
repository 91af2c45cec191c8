"""Durable group commit: what arrives together shares one transaction; each caller waits for the one with its item."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from app.errors import DatabaseBusy, DatabaseUnavailable

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Entry(Generic[Item, Result]):
    """One caller's item. `woken` is set when it is done, or when it is on its caller to write the next group."""

    __slots__ = ("error", "is_done", "item", "result", "woken")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.is_done = False
        self.result: Result | None = None
        self.error: BaseException | None = RuntimeError("the commit of this item was interrupted")
        self.woken = threading.Event()


class GroupCommit(Generic[Item, Result]):
    """Gathers what callers bring into groups. `write` commits a group and returns one result an item, in order.

    There is no thread and no timer: the caller that finds nobody writing writes for all who wait, then hands over to
    the first of those who gathered meanwhile. So a lone caller never waits for company, and nobody is woken but who is
    done or is next. The queue is bounded by the number of threads that call. When a group fails, each of its items is
    tried alone, so that a bad one fails alone; only with the database away they all fail at once.
    """

    def __init__(self, most: int = 300) -> None:
        self._most = most
        self._queue: list[_Entry[Item, Result]] = []
        self._is_writing = False
        self._lock = threading.Lock()

    def submit(self, item: Item, write: Callable[[Sequence[Item]], Sequence[Result]]) -> Result:
        """The result of `item`, once its commit has returned. All callers bring a `write` that does the same.

        Raises:
            Exception: whatever `write` raised for this item.
        """
        entry: _Entry[Item, Result] = _Entry(item)
        with self._lock:
            self._queue.append(entry)
            leads, self._is_writing = not self._is_writing, True
        if not leads:
            entry.woken.wait()
        if not entry.is_done:
            self._lead(entry, write)
        if entry.error is not None:
            raise entry.error
        return entry.result  # type: ignore[return-value]  # without an error it has its result

    def _lead(self, entry: _Entry[Item, Result], write: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        """Write groups, oldest first, until the one with `entry` is written; then the next caller leads."""
        try:
            while not entry.is_done:
                with self._lock:
                    group, self._queue = self._queue[: self._most], self._queue[self._most :]
                try:
                    _write_group(group, write)
                finally:
                    for written in group:
                        written.is_done = True
                        written.woken.set()
        finally:
            self._hand_over()

    def _hand_over(self) -> None:
        with self._lock:
            self._is_writing = bool(self._queue)
            if self._queue:
                self._queue[0].woken.set()


def _write_group(group: Sequence[_Entry[Item, Result]], write: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
    try:
        results = write([entry.item for entry in group])
    except Exception as error:
        is_away = isinstance(error, DatabaseUnavailable) and not isinstance(error, DatabaseBusy)
        if is_away or len(group) == 1:
            for entry in group:
                entry.error = error
            return
        logger.warning("group_failed", exc_info=True, extra={"size": len(group)})
        for entry in group:
            _write_group([entry], write)
        return
    for entry, result in zip(group, results, strict=True):
        entry.result, entry.error = result, None
