"""The end of a history: with a healthy provider and nobody meddling, everything comes to rest."""

import threading
from datetime import datetime, timedelta

from app.services import outcomes, sweeps
from app.states import OPEN_JOB_STATES
from tests.simulation import acts, interventions
from tests.simulation.books import Books
from tests.simulation.invariants import expect
from tests.simulation.provider import Fate, Says
from tests.simulation.world import World

ROUNDS = 300


def settle(world: World) -> None:
    """Let one healthy worker work until no batch is open, and nothing is left of those that were removed.

    Raises:
        Broken: it does not come to that, or something does not hold on the way.
    """
    world.clock.skew = timedelta(0)
    world.provider.fate = lambda: Fate.ACCEPTED
    world.provider.asked = lambda: Says.ANSWER
    world.provider.accepted = lambda _task: None
    interventions.let_all_go(world)
    for _ in range(ROUNDS):
        _work(world)
        sweeps.sweep(world.runtime, "the last")
        world.check()
        books = world.books()
        if books.is_at_rest:
            return
        world.clock.advance_to(_next_alarm(books, world.clock.now))
    expect(False, "everything comes to rest", world.books())


def _work(world: World) -> None:
    """Submit what can be; each task answers at once."""
    while claimed := acts.claim(world, world.runtime, 10, is_idle=True):
        known = len(world.ledger.tasks)
        world.clock.advance_to(max(each.send_at for each in claimed))
        outcomes.record(world.runtime, [acts.send(world, world.runtime, each, threading.Event()) for each in claimed])
        for task in list(world.ledger.tasks.values())[known:]:
            acts.call_back(world, world.runtime, task, Says.ANSWER)


def _next_alarm(books: Books, now: datetime) -> datetime:
    due = [job.due_at for job in books.jobs.values() if job.state in OPEN_JOB_STATES and job.due_at > now]
    return min(due, default=now + timedelta(seconds=1))
