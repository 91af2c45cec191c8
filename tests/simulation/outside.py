"""The actors outside: clients, the provider's callbacks, and an operator."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial

from app.errors import DatabaseUnavailable
from app.runtime import Runtime
from tests.simulation import acts, interventions
from tests.simulation.ledger import Task
from tests.simulation.processes import Gone, Process
from tests.simulation.provider import Says
from tests.simulation.schedule import Actor, Schedule

NO_ANSWER = "no answer"
_IN_TIME = ((0, 0.1), (0, 3), (3, 20))
_LATE = ((28, 33), (58, 63), (60, 120))


def ask(schedule: Schedule, webs: Sequence[Process], action: Callable[[Runtime], object]) -> object:
    """What one of the web processes answers, if one is free and lives."""
    idle = [process for process in webs if not process.is_busy]
    if not idle:
        return NO_ANSWER
    try:
        return schedule.call(schedule.random.choice(idle), action)
    except (Gone, DatabaseUnavailable):
        return NO_ANSWER


# --- clients ---


def client(schedule: Schedule, webs: Sequence[Process], name: str) -> Actor:
    """Submits a batch until it is told that it is stored; then it may cancel, retry or remove it."""
    random, world, weather = schedule.random, schedule.world, schedule.weather
    prompts = [f"{name}/{number}" for number in range(weather.jobs)]
    create = partial(
        acts.create,
        world,
        prompts=prompts,
        key=name,
        max_attempts=random.choice([1, 2, 3, 3]),
        expires_in_seconds=random.choice([1000.0, 1000.0, 130.0]),
    )
    while ask(schedule, webs, create) == NO_ANSWER:
        schedule.note(name, "submits, in vain as it seems")
        yield random.uniform(0.1, 5)
    batch_id = next(batch for batch, known in world.ledger.promised.items() if list(known) == prompts)
    schedule.note(name, "is submitted")
    for what in weather.owner:
        yield random.uniform(2, 50)
        named = random.choice([None, ["job-0"]])
        arguments = (batch_id,) if what == "delete" else (batch_id, named)
        said = ask(schedule, webs, lambda runtime: getattr(acts, what)(world, runtime, *arguments))  # noqa: B023 - at once
        schedule.note(name, f"{what} {named or ''}: {said}")


# --- callbacks ---


def plan(schedule: Schedule, webs: Sequence[Process], task: Task) -> None:
    """What the provider will say of a task that it accepted, and when."""
    random, weather = schedule.random, schedule.weather
    times = 1 + sum(schedule.chance(weather.repeat) for _ in range(2))
    said = random.choices(list(weather.says), list(weather.says.values()))[0]
    for number in range(times):
        if schedule.chance(weather.loss):
            schedule.note(task.id, "a callback is lost")
            continue
        if number and schedule.chance(0.3):
            said = random.choice(list(Says))
        together = schedule.chance(weather.repeat)
        delivered = delivery(schedule, webs, task, said, random.randrange(2), is_in_company=together)
        schedule.add(delivered, _delay(schedule))


def _delay(schedule: Schedule) -> float:
    """At once, soon, or about when the grace or the time-out ends, or long after."""
    is_late = schedule.chance(schedule.weather.tardiness)
    earliest, latest = schedule.random.choice(
        [(28, 33), (58, 63), (60, 120)] if is_late else [(0, 0.1), (0, 3), (3, 20)]
    )
    return schedule.random.uniform(earliest, latest)


def delivery(
    schedule: Schedule, webs: Sequence[Process], task: Task, says: Says, copy: int, *, is_in_company: bool
) -> Actor:
    """One callback, which is repeated a few times if it is not answered with 200."""
    for _ in range(schedule.random.choice([1, 3])):
        if is_in_company:
            said = ask(schedule, webs, lambda runtime: _together(schedule, runtime, task, says))
        else:
            said = ask(schedule, webs, lambda runtime: acts.call_back(schedule.world, runtime, task, says, copy))
        schedule.note(task.id, f"{task.submission.text_data} {says}: {said}")
        if said != NO_ANSWER and "503" not in str(said):
            return
        yield schedule.random.uniform(0.5, 20)


def _together(schedule: Schedule, runtime: Runtime, task: Task, says: Says) -> str:
    """In one group with the answer of another task."""
    said = [(task, says), (schedule.random.choice(list(schedule.world.ledger.tasks.values())), Says.ANSWER)]
    schedule.random.shuffle(said)
    return acts.call_back_together(schedule.world, runtime, said)


# --- the operator ---


_INTERVENTIONS = (
    *("pause", "resume", "kill", "set_watch"),
    *("pause_batch", "pause_batch", "resume_batch", "give_budget", "learn_to_read"),
)


def operator(schedule: Schedule, webs: Sequence[Process], hands: Sequence[Process]) -> Actor:
    """Pauses and resumes, gives budgets, teaches to read, kills processes, and sets watches."""
    random, world, weather = schedule.random, schedule.world, schedule.weather
    processes = [*webs, *hands]
    for _ in range(weather.operator):
        yield random.uniform(3, 30)
        process = random.choice(processes)
        match random.choice(_INTERVENTIONS):
            case "pause":
                world.hold_provider(random.uniform(1, 30))
            case "resume":
                world.lift_provider()
            case "pause_batch" | "resume_batch" | "give_budget" | "learn_to_read" as what:
                said = ask(schedule, webs, partial(_intervene, schedule, what))
                schedule.note("the operator", f"{what}: {said}")
            case "kill" if not process.is_busy:
                schedule.bury(process)
            case "set_watch":
                process.skew = schedule.drawn_skew()


def _intervene(schedule: Schedule, what: str, runtime: Runtime) -> object:
    """Through the service, with the first batch or none."""
    random, world = schedule.random, schedule.world
    if what == "learn_to_read":
        return interventions.learn_to_read(world, runtime)
    batch_id = next(iter(world.ledger.promised), None)
    if batch_id is None:
        return "there is none"
    match what:
        case "pause_batch":
            return interventions.pause(runtime, batch_id)
        case "resume_batch":
            return interventions.resume(runtime, batch_id)
    return interventions.give_budget(runtime, batch_id, Decimal(random.choice([1, 3, 10])).scaleb(-6))
