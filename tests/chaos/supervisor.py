"""The supervisor: it starts whatever ended again, as systemd or a container's restart policy would."""

import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.chaos.marks import Page
from tests.e2e.procfile import Process

RESTART_SECONDS = 0.3
_LOOK_SECONDS = 0.05


class Watched:
    """A process that is started again when it has ended. `unasked`: how it ended without having been killed."""

    def __init__(self, name: str, line: str, environment: Mapping[str, str], log: Path, marks: Path) -> None:
        self.name = name
        self.unasked: list[str] = []
        self._marks = marks
        self._lock = threading.Lock()
        self._ended_at: float | None = None
        self._page: tuple[int, Page] | None = None
        self.process = Process(line, environment, log)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def page(self) -> Page | None:
        """What the process that runs now says of itself; None if it isn't so far."""
        pid = self.pid
        if self._page is None or self._page[0] != pid:
            try:
                self._page = (pid, Page(self._marks / str(pid)))
            except FileNotFoundError:
                return None
        return self._page[1]

    @property
    def is_up(self) -> bool:
        """Whether it runs and has begun to work."""
        page = self.page
        return self.process.status is None and page is not None and page.is_alive

    def kill(self) -> Mapping[str, int]:
        """SIGKILL for the whole group; in which phases that hit it, with the number of threads in each."""
        with self._lock:
            page = self.page
            self.process.kill()
            self._ended_at = time.monotonic()
            return page.counts() if page else {}

    def signal(self, number: signal.Signals) -> None:
        """Stop the whole group, or have it go on."""
        os.killpg(self.pid, number)

    def look(self) -> None:
        """Start it again if it has ended a moment ago."""
        with self._lock:
            if self.process.status is None:
                return
            if self._ended_at is None:
                self._ended_at = time.monotonic()
                self.unasked.append(f"{self.name} ended by itself with {self.process.status}")
            if time.monotonic() - self._ended_at >= RESTART_SECONDS:
                self._ended_at = None
                self.process.start()

    def end(self) -> None:
        """Kill it for good; nobody looks any more."""
        self.process.kill()


class Supervisor:
    """Looks after processes in a thread of its own. A context manager; they end with it."""

    def __init__(self) -> None:
        self.watched: list[Watched] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        for each in self.watched:
            each.end()

    def watch(self, watched: Watched) -> Watched:
        """From now on it is started again."""
        self.watched.append(watched)
        return watched

    @property
    def unasked(self) -> Sequence[str]:
        """Every end that nobody asked for."""
        return [words for each in self.watched for words in each.unasked]

    def _run(self) -> None:
        while not self._is_over.wait(_LOOK_SECONDS):
            for each in list(self.watched):
                each.look()
