"""`python -m tests.chaos.marked COMMAND`: the service's own command line, with marks around the phases of its work.

The marks are put around known functions from outside, so the product knows nothing of them. A function that is renamed
ends the process at its start.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from app.cli import main, serving
from app.services import claims, finalizing, inbox, outcomes, submission, sweeps
from app.store import batches
from tests.chaos.marks import Page

FOLDER = "CHAOS_MARKS"
LINGER_SECONDS = 0.1


class Marks:
    """Writes to this process's page, from any thread."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._lock = threading.Lock()
        self._here = threading.local()

    @contextmanager
    def within(self, phase: str) -> Iterator[None]:
        """This thread, or this dialogue, is in the phase while the block runs."""
        self.enter(phase)
        try:
            yield
        finally:
            self.leave(phase)

    def enter(self, phase: str) -> None:
        with self._lock:
            self._page.change(phase, 1)
        self._linger(phase)

    def leave(self, phase: str) -> None:
        self._linger(phase)
        with self._lock:
            self._page.change(phase, -1)

    def begin(self, phase: str) -> None:
        """Enter a phase that `end` leaves, both in this thread; a second call does nothing."""
        if not getattr(self._here, phase, False):
            setattr(self._here, phase, True)
            self.enter(phase)

    def end(self, phase: str) -> None:
        if getattr(self._here, phase, False):
            setattr(self._here, phase, False)
            self.leave(phase)

    def live(self) -> None:
        self._page.live()

    def _linger(self, phase: str) -> None:
        if self._page.is_braked(phase):
            time.sleep(random.uniform(0, LINGER_SECONDS))  # so that a kill finds every instant of it


def install(marks: Marks) -> None:
    """Put marks around each phase, and a sign of life where web and worker begin to work."""
    _at_entry(claims, "move_cases", lambda *a, **_: marks.begin("claim") if a[2] else None)
    _at_exit(claims, "_claim", lambda: marks.end("claim"))
    _replace(submission, "send", lambda original: _marked_dialogue(original, marks))
    _within(outcomes, "record", "ack write", marks)
    _within(inbox, "_keep_group", "group commit", marks)
    _at_entry(batches, "change", lambda *_, **values: marks.begin("finalize") if "finalized_at" in values else None)
    _at_exit(finalizing, "_settle", lambda: marks.end("finalize"))
    _at_entry(sweeps, "sweep", lambda *_, **__: marks.live())
    _at_entry(serving.Server, "answer", lambda *_, **__: marks.live())


def _marked_dialogue(original: Callable[..., Any], marks: Marks) -> Callable[..., Any]:
    """Each request of the dialogue is a POST under way until its answer is heard, or that there is none."""

    def send(*arguments: Any) -> Any:
        dialogue = original(*arguments)
        heard: object = None
        error: Exception | None = None
        try:
            while True:
                request = dialogue.send(heard) if error is None else dialogue.throw(error)
                try:
                    with marks.within("POST"):
                        heard, error = (yield request), None
                except Exception as thrown:  # noqa: BLE001 - it is for the dialogue
                    error = thrown
        except StopIteration as end:
            return end.value

    return send


def _within(place: ModuleType | type, name: str, phase: str, marks: Marks) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def marked(*arguments: Any, **named: Any) -> Any:
            with marks.within(phase):
                return original(*arguments, **named)

        return marked

    _replace(place, name, make)


def _at_entry(place: ModuleType | type, name: str, told: Callable[..., object]) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def marked(*arguments: Any, **named: Any) -> Any:
            told(*arguments, **named)
            return original(*arguments, **named)

        return marked

    _replace(place, name, make)


def _at_exit(place: ModuleType | type, name: str, told: Callable[[], object]) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def marked(*arguments: Any, **named: Any) -> Any:
            try:
                return original(*arguments, **named)
            finally:
                told()

        return marked

    _replace(place, name, make)


def _replace(place: ModuleType | type, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    setattr(place, name, make(getattr(place, name)))


if __name__ == "__main__":
    install(Marks(Page.make(Path(os.environ[FOLDER]) / str(os.getpid()))))
    main()
