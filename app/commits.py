"""Durable group commit: what arrives together shares one transaction; each item's future is done after its commit."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from app.errors import DatabaseBusy, DatabaseUnavailable

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

Write = Callable[[Sequence[Item]], Sequence[Result | Exception]]
After = Callable[[Sequence[Result]], None]


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Item, Result]):
    item: Item
    future: Future[Result] = field(default_factory=Future)


class GroupCommit(Generic[Item, Result]):
    """Gathers what callers bring into groups, which one thread writes, one after the other.

    `write` commits a group and returns one result an item, in order, or the exception of one that failed alone.
    `after` gets the results once the callers have theirs: what follows from a group doesn't delay its answers. There
    is no timer: whatever gathered during one commit is the next group, so a lone item never waits for company. When a
    group fails, each of its items is tried alone, so that a bad one fails alone; only with the database away they all
    fail at once.
    """

    def __init__(self, most: int = 300, most_waiting: int = 5000) -> None:
        self._most = most
        self._most_waiting = most_waiting
        self._queue: list[_Entry[Item, Result]] = []
        self._is_writing = False
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="group-commit")

    def submit(self, item: Item, write: Write[Item, Result], after: After[Result] | None = None) -> Future[Result]:
        """The future of `item`'s result, or of what `write` raised for it. All callers bring the same functions.

        Raises:
            DatabaseBusy: more wait than the database has taken for a while.
        """
        entry: _Entry[Item, Result] = _Entry(item)
        with self._lock:
            if len(self._queue) >= self._most_waiting:
                raise DatabaseBusy(f"{self._most_waiting} wait to be committed")
            self._queue.append(entry)
            if not self._is_writing:
                self._thread.submit(self._write_all, write, after or _nothing)
                self._is_writing = True
        return entry.future

    def close(self) -> None:
        """Write what has gathered, then end the thread."""
        self._thread.shutdown(wait=True)

    def wait_until_idle(self) -> None:
        """Return when all that was submitted is written, and what follows from it is done."""
        self._thread.submit(_nothing, ()).result()

    def _write_all(self, write: Write[Item, Result], after: After[Result]) -> None:
        try:
            while group := self._next_group():
                done = [answer for answer in _write_group(group, write) if not isinstance(answer, Exception)]
                try:
                    after(done)
                except Exception:
                    # The group is committed and its callers know; those who wait must not suffer.
                    logger.exception("after_group_failed", extra={"size": len(group)})
        finally:
            with self._lock:
                self._is_writing = False

    def _next_group(self) -> Sequence[_Entry[Item, Result]]:
        with self._lock:
            group, self._queue = self._queue[: self._most], self._queue[self._most :]
            self._is_writing = bool(group)  # under the lock: who comes after this finds nobody writing
        return group


def _nothing(_: object) -> None:
    """Nothing follows."""


def _write_group(group: Sequence[_Entry[Item, Result]], write: Write[Item, Result]) -> Sequence[Result | Exception]:
    try:
        answers = _written(group, write)
    except BaseException:
        _tell(group, [RuntimeError("the commit of this item was interrupted")] * len(group))
        raise
    _tell(group, answers)
    return answers


def _written(group: Sequence[_Entry[Item, Result]], write: Write[Item, Result]) -> Sequence[Result | Exception]:
    try:
        return _one_each(group, write([entry.item for entry in group]))
    except Exception as error:
        is_away = isinstance(error, DatabaseUnavailable) and not isinstance(error, DatabaseBusy)
        if is_away or len(group) == 1:
            return [error] * len(group)
        logger.warning("group_failed", exc_info=True, extra={"size": len(group)})
        return [answer for entry in group for answer in _written([entry], write)]


def _one_each(
    group: Sequence[_Entry[Item, Result]], answers: Sequence[Result | Exception]
) -> Sequence[Result | Exception]:
    if len(answers) != len(group):
        raise AssertionError(f"{len(answers)} results for {len(group)} items")
    return answers


def _tell(group: Sequence[_Entry[Item, Result]], answers: Sequence[Result | Exception]) -> None:
    for entry, answer in zip(group, answers, strict=True):
        if not entry.future.set_running_or_notify_cancel():
            continue  # whoever asked has gone; what came is kept all the same
        if isinstance(answer, Exception):
            entry.future.set_exception(answer)
        else:
            entry.future.set_result(answer)
