"""What Linux tells of running processes: processor time, which others on the machine don't blur, and memory."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Status:
    """One process. `children_seconds` is the processor time of children that have ended."""

    id: int
    parent: int
    session: int
    seconds: float
    children_seconds: float
    resident_bytes: int


def seconds_of_session(leader: int) -> float:
    """Processor seconds so far of all processes in this leader's session."""
    return sum(status.seconds for status in _all() if status.session == leader)


def seconds_of_family(parent: int) -> float:
    """Processor seconds so far of a process and its children, those that have ended among them."""
    family = [status for status in _all() if parent in (status.id, status.parent)]
    return sum(status.seconds + (status.children_seconds if status.id == parent else 0) for status in family)


def resident_bytes(leaders: Sequence[int]) -> int:
    """Resident memory of all processes in these leaders' sessions."""
    return sum(status.resident_bytes for status in _all() if status.session in leaders)


def _all() -> Iterator[Status]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield _status(folder)
        except OSError:
            continue  # it has ended meanwhile


def _status(folder: Path) -> Status:
    # proc(5). The command, in brackets, may hold blanks; the third field is the first behind it.
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    user, system, children_user, children_system = (int(each) / _TICKS for each in fields[11:15])
    return Status(
        id=int(folder.name),
        parent=int(fields[1]),
        session=int(fields[3]),
        seconds=user + system,
        children_seconds=children_user + children_system,
        resident_bytes=int(fields[21]) * _PAGE_BYTES,
    )
