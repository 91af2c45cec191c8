"""Marks: a page of memory that a process under fire shares with the driver, so that kills are aimed, and hits proven.

What a process wrote there before a SIGKILL stays there. So the page of a dead process says, without any race, in which
phases of its work it died.
"""

import mmap
from collections.abc import Mapping
from pathlib import Path

PHASES = ("claim", "POST", "ack write", "group commit", "finalize")
"""Claim: from the choice of jobs to the end of its commit. POST: a request is with the sender, its answer is not heard.
Ack write: what became of submits is being written down. Group commit: bodies of callbacks are. Finalize: from the
decision that a batch has ended to the end of its commit."""

_ALIVE, _BRAKE = "alive", "brake"
_SLOTS = (_ALIVE, _BRAKE, *PHASES)
_BYTES = 4 * len(_SLOTS)


class Page:
    """One process's page: how many of its threads are in each phase; whether it works; where it is to slow down."""

    def __init__(self, path: Path) -> None:
        """Open a page that was made. Raises FileNotFoundError: the process isn't so far."""
        with path.open("r+b") as file:
            self._slots = memoryview(mmap.mmap(file.fileno(), _BYTES)).cast("I")

    @classmethod
    def make(cls, path: Path) -> "Page":
        """A fresh page, which appears whole."""
        unfinished = path.with_suffix(".new")
        unfinished.write_bytes(bytes(_BYTES))
        unfinished.replace(path)
        return cls(path)

    @property
    def is_alive(self) -> bool:
        """Whether the process has begun to work."""
        return bool(self._slots[_SLOTS.index(_ALIVE)])

    def live(self) -> None:
        self._slots[_SLOTS.index(_ALIVE)] = 1

    def change(self, phase: str, by: int) -> None:
        """One thread more, or less, is in this phase. Not for two threads at once."""
        self._slots[_SLOTS.index(phase)] += by

    def counts(self) -> Mapping[str, int]:
        """How many threads are in each phase, of those that have any."""
        return {phase: self._slots[_SLOTS.index(phase)] for phase in PHASES if self._slots[_SLOTS.index(phase)]}

    def brake(self, phase: str | None) -> None:
        """Have the process linger at both ends of this phase; of none."""
        self._slots[_SLOTS.index(_BRAKE)] = 0 if phase is None else 1 + PHASES.index(phase)

    def is_braked(self, phase: str) -> bool:
        return self._slots[_SLOTS.index(_BRAKE)] == 1 + PHASES.index(phase)
