"""The actors of a worker process: it claims, sends and writes down, and it sweeps."""

from collections.abc import Sequence

from app.errors import DatabaseUnavailable
from app.services import outcomes, sweeps
from app.services.claims import Claim, Sent
from tests.simulation import acts
from tests.simulation.processes import Process
from tests.simulation.schedule import Actor, Schedule

WRITES_AGAIN_SECONDS = 0.5


def boot(schedule: Schedule, process: Process, seconds: float) -> None:
    """The process begins in so many seconds."""
    schedule.add(sweeper(schedule, process), seconds, process, is_watch=True)


def sweeper(schedule: Schedule, process: Process) -> Actor:
    """Sweeps, and drains what it finds due, with or without a ring."""
    has_begun = False
    while True:
        try:
            if not has_begun:
                sweeps.begin(process.runtime)
                has_begun = True
            swept = sweeps.sweep(process.runtime, process.name)
        except DatabaseUnavailable:
            yield 1.0
            continue
        if swept.due_providers:
            ring(schedule, process, 0.0)
        yield max(0.05, (swept.next_at - process.runtime.moment().now).total_seconds())


def ring(schedule: Schedule, process: Process, seconds: float) -> None:
    """The process drains in so many seconds; what rings until then changes nothing."""
    if not process.is_rung:
        process.is_rung = True
        schedule.add(drain(schedule, process), seconds, process)


def drain(schedule: Schedule, process: Process) -> Actor:
    """Submits until nothing is left to claim; one at a time in a process."""
    process.is_rung = False
    if process.is_draining:
        return
    process.is_draining = True
    while True:
        for claimed in _claim(schedule, process):
            schedule.note(process.name, f"claims {claimed.submission.text_data}")
            process.outstanding += 1
            process.has_suspect = claimed.is_suspect
            schedule.add(sending(schedule, process, claimed), 0.0, process)
        if not process.outstanding:
            break
        yield schedule.random.choice([0.1, 1.0, 6.0])
        group, process.finished = process.finished, []
        if group:
            yield from _written(schedule, process, group)
            process.outstanding -= len(group)
    process.is_draining = False


def _claim(schedule: Schedule, process: Process) -> Sequence[Claim]:
    if not process.outstanding:
        process.is_held.clear()
        process.has_suspect = False
    if process.is_held.is_set() or process.has_suspect:
        return ()
    room = schedule.random.choice([1, 2, 8])
    try:
        return acts.claim(schedule.world, process.runtime, room, is_idle=not process.outstanding)
    except DatabaseUnavailable:
        return ()


def sending(schedule: Schedule, process: Process, claimed: Claim) -> Actor:
    """Sends one claim at its time, or too late; the answer is on its way for a while."""
    wait = (claimed.send_at - process.runtime.moment().now).total_seconds()
    yield max(0.0, wait) + schedule.random.choice([0.0, 0.0, 0.1, 4.9, 5.1])
    while process.runtime.moment().now < claimed.send_at:
        yield 0.1
    sent = acts.send(schedule.world, process.runtime, claimed, process.is_held)
    schedule.note(process.name, f"sends {claimed.submission.text_data}: {sent.outcome or 'not sent'}")
    yield schedule.random.choice([0.01, 0.2, 5.0, 9.9])
    process.finished.append(sent)


def _written(schedule: Schedule, process: Process, group: Sequence[Sent]) -> Actor:
    """Writes down what became of submits; while the database is away, until the leases end."""
    names = ", ".join(sent.claim.submission.text_data for sent in group)
    last_at = max(sent.claim.lease_until for sent in group)
    while process.runtime.moment().now <= last_at:
        try:
            outcomes.record(process.runtime, group)
        except DatabaseUnavailable:
            yield WRITES_AGAIN_SECONDS
        else:
            schedule.note(process.name, f"has written down {names}")
            return
    schedule.note(process.name, f"gives up writing down {names}")
