"""One run: a seed becomes a history, which ends at rest or in a broken sentence."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from tests.simulation import outside, rest, workers
from tests.simulation.processes import Process
from tests.simulation.provider import UNFINISHED, Fate, Says
from tests.simulation.schedule import Actor, Schedule
from tests.simulation.weather import Weather, drawn
from tests.simulation.world import World


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a seed. `broken` is what did not hold, None if all did."""

    seed: int
    weather: Weather
    log: tuple[str, ...]
    fingerprint: str
    broken: str | None


def run(seed: int) -> Run:
    """Everything that happens, and its order, follows from the seed alone."""
    random = Random(seed)  # noqa: S311 - a history, not a secret
    weather = drawn(random)
    overrides = {
        "max_in_flight": weather.max_in_flight,
        "rate_per_second": weather.rate_per_second,
        "backoff_base_seconds": weather.backoff_seconds,
        "sweep_seconds": 60.0,  # a sweep comes when an alarm rings; what is due to nobody's alarm may wait
    }
    world = World(random, **overrides)
    world.ledger.tolerance_seconds = weather.tolerance_seconds
    schedule = Schedule(world, weather)
    broken: str | None = None
    with world.running():
        try:
            _play(schedule)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the seed has found
            broken = f"{type(error).__name__}: {error}"
    return Run(seed, weather, tuple(schedule.log), schedule.fingerprint, broken)


def _play(schedule: Schedule) -> None:
    """Everyone comes on; after a while the weather clears, and all must come to rest."""
    webs = [schedule.process(name) for name in ("web 1", "web 2")]
    hands = [schedule.process(f"worker {number + 1}") for number in range(schedule.weather.workers)]
    _wire(schedule, webs, hands)
    for number in range(schedule.weather.batches):
        schedule.add(outside.client(schedule, webs, f"b{number}"), schedule.random.uniform(0, 20))
    schedule.add(outside.operator(schedule, webs, hands))
    for process in hands:
        workers.boot(schedule, process, schedule.random.uniform(0, 5))
    schedule.run(schedule.weather.seconds)
    schedule.note("all", "is calm")
    rest.settle(schedule.world)
    _note_the_end(schedule)


def _wire(schedule: Schedule, webs: Sequence[Process], hands: Sequence[Process]) -> None:
    """Who hears what."""
    random, weather, provider = schedule.random, schedule.weather, schedule.world.provider

    def rung() -> None:
        if not schedule.chance(weather.loss):
            workers.ring(schedule, random.choice(hands), random.uniform(0, 0.2))

    def reborn(process: Process) -> None:
        if process in hands:
            workers.boot(schedule, process, random.uniform(0, 20))

    schedule.rung, schedule.reborn = rung, reborn
    provider.can_read_back = weather.can_read_back
    provider.fate = lambda: random.choices(list(Fate), [weather.fates[fate] for fate in Fate])[0]
    provider.asked = lambda: random.choice([Says.ANSWER, Says.FAILURE, *UNFINISHED])
    provider.accepted = lambda task: outside.plan(schedule, webs, task)
    provider.later = lambda accept: schedule.add(_later(accept), random.uniform(1, 80))


def _later(accept: Callable[[], object]) -> Actor:
    accept()
    yield from ()


def _note_the_end(schedule: Schedule) -> None:
    books = schedule.world.books()
    for job in sorted(books.jobs.values(), key=lambda job: (job.batch_id, job.position)):
        states = ", ".join(attempt.state for attempt in books.attempts[job.id])
        schedule.note(f"{job.custom_id} at the end", f"{job.state} {job.error_code or ''} ({states})")
    outcomes = sorted(Counter(row.outcome for row in books.callbacks).items())
    schedule.note("inbox at the end", ", ".join(f"{number} {outcome}" for outcome, number in outcomes))
