"""A run: a system under load and faults, until every job is over; then everybody is asked what happened."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.chaos import plan
from tests.chaos.faults import Faults
from tests.chaos.load import MOST_OPEN, Load
from tests.chaos.questions import Questions
from tests.chaos.system import System
from tests.e2e import books
from tests.e2e.books import Books

GAP_SECONDS = 0.6
STALLED_SECONDS = 60.0
"""Longer than all bounds together: if no job has ended for so long, none will."""


class Stalled(Exception):
    """The run does not end by itself."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that is over, with all that its witnesses say."""

    system: System
    load: Load
    faults: Faults
    books: Books
    questions: Questions
    seconds: float
    verifications: Sequence[str]


class Run:
    """One run on one database."""

    def __init__(self, system: System, jobs: int, kills: int, seed: int) -> None:
        self._system = system
        self._random = Random(f"{system.database} {seed}")
        self._jobs = jobs
        self._steps = plan.steps(system.database, kills, self._random)
        log, of_load = system.folder / "accepted.ndjson", Random(f"load {seed}")  # a thread of its own draws from it
        self._load = Load(system.url, system.key, log, jobs, of_load)
        self._faults = Faults(system, self._load, self._random)
        self._questions = Questions(self._load, self._random)
        self._seen = (0, time.monotonic())

    def run(self) -> Ran:
        """Do all of it. Raises Stalled, or what went wrong with the client."""
        self._system.wait_until_up()
        began = time.monotonic()
        self._load.start()
        try:
            self._hurt()
            while not self._load.is_done:
                self._wait()
        finally:
            self._load.stop()
        seconds = time.monotonic() - began
        read = books.read(self._system)
        return Ran(self._system, self._load, self._faults, read, self._questions, seconds, self._unsound())

    def _hurt(self) -> None:
        """One fault after the other, each with its share of the jobs, so that none finds the system idle.

        After each, when all that it took away is there again, the service is asked what open jobs wait for.
        """
        share = self._jobs // (len(self._steps) + 1)
        if self._system.database == "postgresql":
            self._faults.redis_absent(until=lambda: self._begin(share))  # the first batch is one that nobody rings for
        else:
            self._begin(share)
        for number, step in enumerate(self._steps, 1):
            self._load.give(share)
            # The faults must not run away from the jobs.
            self._wait_for(share * number - MOST_OPEN)
            time.sleep(self._random.uniform(0, GAP_SECONDS))
            self._load.check()
            step(self._faults)
            _tell(f"{self._load.jobs_ended:6} jobs over: {self._faults.done[-1]}")
            self._questions.ask()
        self._load.give(self._jobs)

    def _begin(self, share: int) -> None:
        """Submit the first jobs, and wait until half of them are over."""
        self._load.give(share)
        self._wait_for(share // 2)

    def _wait_for(self, ended: int) -> None:
        while self._load.jobs_ended < ended:
            self._wait()

    def _wait(self) -> None:
        """A moment, in which something should happen now and then."""
        time.sleep(0.02)
        self._load.check()
        progress = self._load.jobs_ended + self._load.jobs_accepted
        number, at = self._seen
        if progress != number:
            self._seen = (progress, time.monotonic())
        elif time.monotonic() - at > STALLED_SECONDS:
            raise Stalled("\n".join([f"no job has ended for {STALLED_SECONDS:g} s", *self._waiting()]))

    def _waiting(self) -> list[str]:
        found = {batch_id: self._load.why(batch_id) for batch_id in self._load.open_batches()}
        return [f"{batch_id}: {[reason['code'] for reason in reasons]}" for batch_id, reasons in found.items()]

    def _unsound(self) -> list[str]:
        """Batches that do not verify."""
        return [
            f"{each['batch_id']}: {[one for one in each['findings'] if one['violations']]}"
            for each in self._load.verifications()
            if not each["is_sound"] or each["open_jobs"]
        ]


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
