"""The schedule: whose turn is next, by a clock that is ours and dice that are seeded."""

import hashlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from app.errors import DatabaseBusy, DatabaseUnavailable
from app.runtime import Runtime
from tests.simulation.processes import Bell, Bounded, Gone, Killed, Process
from tests.simulation.weather import MOST_STALLED_SECONDS, Weather
from tests.simulation.world import World

Actor = Generator[float, None, None]
"""Does something at each of its turns, and says in how many seconds it wants the next."""

Result = TypeVar("Result")
NEAR = 6
NEAR_BY = timedelta(seconds=10)
"""Up to so many of the turns that come so soon may come before their time."""
DEEPEST = 2


@dataclass(order=True, slots=True)
class _Turn:
    at: datetime
    tie: float
    actor: Actor = field(compare=False)
    process: Process | None = field(compare=False)
    life: int = field(compare=False)
    is_watch: bool = field(compare=False)

    @property
    def is_possible(self) -> bool:
        return self.process is None or not self.process.is_busy

    @property
    def is_void(self) -> bool:
        return self.process is not None and self.process.life != self.life


class Schedule:
    """Actors take turns. Within one's turn others may have theirs, wherever a transaction begins or ends."""

    def __init__(self, world: World, weather: Weather) -> None:
        self.world = world
        self.weather = weather
        self.random = world.random
        self.log: list[str] = []
        self.rung: Callable[[], object] = lambda: None
        self.reborn: Callable[[Process], object] = lambda _process: None
        self._turns: list[_Turn] = []
        self._depth = 0
        self._books = world.books()

    def process(self, name: str) -> Process:
        """A new process, whose watch is as wrong as the weather makes it."""

        def start(process: Process) -> Runtime:
            database = Bounded(self.world.database, lambda: self._bound(process))
            return self.world.new_runtime(database, Bell(self._ring))

        return Process(name, start, self.drawn_skew())

    def _ring(self) -> None:
        self.rung()

    def drawn_skew(self) -> timedelta:
        return timedelta(seconds=self.random.uniform(-0.5, 0.5) * self.weather.skew_seconds)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def note(self, who: str, what: object) -> None:
        """A line of the run's log."""
        self.log.append(f"{self.world.clock.seconds:9.3f}  {self._depth * '. '}{who}: {what}")

    @property
    def fingerprint(self) -> str:
        """The same for two runs only if they are the same."""
        return hashlib.sha256("\n".join(self.log).encode()).hexdigest()

    # --- turns ---

    def add(
        self, actor: Actor, seconds: float = 0.0, process: Process | None = None, *, is_watch: bool = False
    ) -> None:
        """The actor's next turn is in so many seconds; it ends with the process that it is a part of.

        `is_watch`: it has something to do only as long as others have.
        """
        at, life = self.world.clock.now + timedelta(seconds=seconds), process.life if process else 0
        self._turns.append(_Turn(at, self.random.random(), actor, process, life, is_watch))

    def run(self, seconds: float) -> None:
        """Turn after turn, each at its time, as long as there is something to do."""
        until = self.world.clock.now + timedelta(seconds=seconds)
        while self._has_more and (turn := min(self._turns)).at <= until:
            self.world.clock.advance_to(turn.at)
            self._take(turn)

    @property
    def _has_more(self) -> bool:
        return any(job.due_at for job in self._books.jobs.values()) or not all(turn.is_watch for turn in self._turns)

    def _take(self, turn: _Turn) -> None:
        """One turn, after which everything must hold."""
        self._turns.remove(turn)
        if turn.is_void:
            return
        with self._as(turn.process):
            try:
                pause = next(turn.actor, None)
            except Killed:
                self.bury(turn.process)
            else:
                if pause is not None:
                    self.add(turn.actor, pause, turn.process, is_watch=turn.is_watch)
        self._books = self.world.check()

    def call(self, process: Process, action: Callable[[Runtime], Result]) -> Result:
        """What the process answers.

        Raises:
            Gone: it died over it.
        """
        with self._as(process):
            try:
                return action(process.runtime)
            except Killed:
                self.bury(process)
                raise Gone from None

    def bury(self, process: Process | None) -> None:
        """The process is dead; a new one takes its place."""
        assert process is not None
        self.note(process.name, "dies")
        process.die()
        self.reborn(process)

    @contextmanager
    def _as(self, process: Process | None) -> Iterator[None]:
        """Meanwhile it is this process, and its watch, that counts."""
        clock, before = self.world.clock, self.world.clock.skew
        clock.skew = process.skew if process else timedelta(0)
        if process is not None:
            process.is_busy = True
        try:
            yield
        finally:
            clock.skew = before
            if process is not None:
                process.is_busy = False

    # --- within turns ---

    def _bound(self, process: Process) -> None:
        """Between two transactions of a process, where anything may come in between."""
        while self._depth < DEEPEST and self.chance(self.weather.interlude):
            self._let_others()
        if self.chance(self.weather.stall):
            self.world.clock.advance(self.random.uniform(0, MOST_STALLED_SECONDS))
        if self.chance(self.weather.death):
            raise Killed
        if self.chance(self.weather.outage):
            self.note(process.name, "has no database")
            raise self.random.choice([DatabaseUnavailable, DatabaseBusy])("the weather says so")

    def _let_others(self) -> None:
        """One of those whose turn is near has it now."""
        until = self.world.clock.now + NEAR_BY
        near = sorted(turn for turn in self._turns if turn.is_possible and turn.at <= until)[:NEAR]
        if near:
            self._depth += 1
            self._take(self.random.choice(near))
            self._depth -= 1
