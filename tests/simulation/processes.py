"""The processes of a run: each has a runtime and a watch of its own, and may die between any two transactions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event

from app.db import Connection, Database
from app.runtime import Runtime
from app.services.outcomes import Sent


class Killed(BaseException):
    """What `kill -9` is to a process: nothing of it catches this."""


class Gone(Exception):
    """The process that was called died before it answered."""


class Bell:
    """A doorbell that tells somebody of each ring."""

    def __init__(self, rung: Callable[[], object]) -> None:
        self._rung = rung

    def ring(self, _provider: str) -> None:
        self._rung()

    def close(self) -> None:
        """Nothing to end."""


class Bounded:
    """The database as one process sees it: `bound` is called before and after each transaction, and may raise."""

    def __init__(self, real: Database, bound: Callable[[], object]) -> None:
        self._real = real
        self._bound = bound
        self.is_sqlite = real.is_sqlite

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self._bound()
        with self._real.transaction() as connection:
            yield connection
        self._bound()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        self._bound()
        with self._real.reading() as connection:
            yield connection


class Process:
    """One process. `life` counts its deaths: what was planned in an earlier life does not happen."""

    def __init__(self, name: str, start: Callable[["Process"], Runtime], skew: timedelta) -> None:
        self.name = name
        self.skew = skew
        self.life = 0
        self.is_busy = False
        self._start = start
        self._begin()

    def _begin(self) -> None:
        self.runtime = self._start(self)
        self.is_rung = False
        self.is_draining = False
        self.is_held = Event()
        self.has_suspect = False
        self.outstanding = 0
        self.finished: list[Sent] = []

    def die(self) -> None:
        """All that it had in its hands is gone; it begins anew."""
        self.life += 1
        self._begin()
