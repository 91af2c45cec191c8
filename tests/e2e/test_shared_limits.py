"""The limits of a provider, shared by four worker processes, by the provider's own clock."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from statistics import median

import pytest

from tests.bench.counterpart import Entry
from tests.bench.designs import Tuning
from tests.bench.machine import Machine
from tests.bench.ours import Ours
from tests.bench.rows.flow import percentile

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

RATE = 200
WINDOW_SECONDS = 10.0
ROOM = 100
TASK_SECONDS = 2.0


@contextmanager
def four_workers(**settings: str) -> Iterator[Ours]:
    """The Procfile's web and four of its workers, warm, on servers of their own and a provider that keeps books."""
    with Machine() as machine:
        design = Ours(machine, Tuning(workers=4, settings=settings))
        with design.running():
            design.start_workers()
            design.warm_up()
            yield design


def test_the_rate_is_kept_and_used_to_the_full_in_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    with four_workers(RATE_PER_SECOND=str(RATE)) as design:
        design.post(15 * RATE)
        design.machine.provider.until_acked(14 * RATE, 60)
        arrived = sorted(entry.acked_at for entry in design.machine.provider.ledger())
    counts = windows(arrived, from_second=1.0)
    with capsys.disabled():
        print(f"\n{len(counts)} windows of {WINDOW_SECONDS:g} s, {min(counts)} to {max(counts)} submits in each")
    assert len(counts) > 2 * RATE
    assert RATE * WINDOW_SECONDS * 0.98 <= min(counts) <= max(counts) <= RATE * WINDOW_SECONDS * 1.02


def test_the_room_in_flight_is_never_exceeded_and_filled_again_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with four_workers(MAX_IN_FLIGHT=str(ROOM)) as design:
        design.machine.provider.mode(calls_back=True, callback_seconds=TASK_SECONDS)
        design.post(15 * ROOM)
        design.machine.provider.until_answered(12 * ROOM, 60)
        ledger = design.machine.provider.ledger()
    seconds = refills(ledger)
    average = average_in_flight(ledger)
    with capsys.disabled():
        refilled = ", ".join(f"p{each} {1000 * percentile(seconds, each):.0f}" for each in (50, 90, 99))
        print(f"\nat most {most_in_flight(ledger)} in flight, {average:.1f} on average; refilled in ms: {refilled}")
    assert most_in_flight(ledger) == ROOM
    assert average >= 0.95 * ROOM
    assert median(seconds) < 0.05


def windows(instants: Sequence[float], from_second: float) -> Sequence[int]:
    """How many instants lie in each window that begins with one of them, after the first seconds, and has ended."""
    begins = [at for at in instants if instants[0] + from_second <= at <= instants[-1] - WINDOW_SECONDS]
    return [sum(begin <= at < begin + WINDOW_SECONDS for at in instants) for begin in begins]


def most_in_flight(ledger: Sequence[Entry]) -> int:
    """The most tasks that the provider had at once: from its acceptance of each until it called back for it."""
    ends = [(entry.sent_at, -1) for entry in ledger if entry.sent_at is not None]
    changes = sorted([*ends, *((entry.acked_at, 1) for entry in ledger)])
    return max(accumulate(change for _, change in changes))


def refills(ledger: Sequence[Entry]) -> Sequence[float]:
    """Seconds from each answered callback, which frees a slot, to the submit that takes it; 0 if that came first."""
    freed = sorted(entry.answered_at for entry in ledger if entry.answered_at is not None)
    taken = sorted(entry.acked_at for entry in ledger)[ROOM:]
    return [max(0.0, take - free) for free, take in zip(freed, taken, strict=False)]


def average_in_flight(ledger: Sequence[Entry]) -> float:
    """Tasks whose callback was not answered yet, on average from when the room was first full to the last submit."""
    taken = sorted(entry.acked_at for entry in ledger)
    begin, end = taken[ROOM - 1], taken[-1]
    lives = [(entry.acked_at, entry.answered_at or end) for entry in ledger]
    return sum(max(0.0, min(ended, end) - max(began, begin)) for began, ended in lives) / (end - begin)
