"""What an operator does to the world: each is one service call; what it shows of money goes into the ledger."""

import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.errors import Conflict, NotFound
from app.ids import new_id, show
from app.providers.base import Submission
from app.runtime import Runtime
from app.services import budgets, matching, orphans, pausing
from app.services import reparse as reparsing
from app.services.audit import By
from app.tokens import CallbackSubject
from tests.factories import held
from tests.simulation import acts
from tests.simulation.invariants import expect
from tests.simulation.ledger import Task
from tests.simulation.provider import Says, body_of
from tests.simulation.world import World

OPERATOR = "operator"
PLENTY = Decimal(1000)
"""More than all tasks of a history cost."""


def pause(runtime: Runtime, batch_id: UUID) -> str:
    """Pause a batch until it is resumed, or what was said instead."""
    return _tried(lambda: pausing.pause(runtime, None, batch_id, "for a while"))


def resume(runtime: Runtime, batch_id: UUID) -> str:
    """Go on with a batch that was paused."""
    return _tried(lambda: pausing.resume(runtime, None, batch_id))


def is_paused(runtime: Runtime, batch_id: UUID) -> bool:
    return _is_held(runtime, batch_id, pausing.PAUSED)


def give_budget(runtime: Runtime, batch_id: UUID, budget: Decimal) -> str:
    """Let a batch cost so much, in all; it is held once it has."""
    return _tried(lambda: budgets.change(runtime, None, batch_id, budget))


def expect_budgets_kept(world: World) -> None:
    """After a sweep exactly those batches are held for their budget that are not over and have cost it."""
    books = world.books()
    for batch_id, batch in books.batches.items():
        if batch.finalized_at is None and batch.budget_nano is not None:
            costs = [each.cost_nano or 0 for job in books.jobs_of(batch_id) for each in books.attempts[job.id]]
            is_spent = sum(costs) >= batch.budget_nano
            expect(_is_held(world.runtime, batch_id, budgets.REASON) == is_spent, "a budget is kept", batch, costs)


def learn_to_read(world: World, runtime: Runtime) -> str:
    """From now on the text of every body is recognised; what was not before is read again."""
    world.provider.has_learned = True
    report = reparsing.reparse(runtime, None, by=By(OPERATOR))
    return f"{report.completed} of {report.read}"


def bring_what_was_forgotten(world: World, runtime: Runtime, job: Any) -> str:
    """The answer to a submit that the database knows nothing of, as after a backup was restored."""
    prompt = world.ledger.promised[job.batch_id][job.position]
    subject = CallbackSubject(job.batch_id, new_id())
    task = world.ledger.forget(subject, Submission(prompt, {}, "", show("job", job.id)))
    return acts.call_back(world, runtime, task, Says.ANSWER)


def match(world: World, runtime: Runtime, task: Task) -> str:
    """Say that a forgotten answer is its job's; what came of it."""
    sha256 = hashlib.sha256(body_of(task, Says.ANSWER)).hexdigest()
    found = [each.id for each in orphans.listing(runtime).items if each.sha256 == sha256]
    if not found:
        return "is not here"
    said = _tried(lambda: matching.match(runtime, found[0], task.job_id, by=By(OPERATOR, "it is")))
    if said == "done":
        world.ledger.remember(task)
    return said


def let_all_go(world: World) -> None:
    """Nothing is paused any more, and nothing is too dear."""
    world.lift_provider()
    for batch_id in world.books().batches:
        resume(world.runtime, batch_id)
        give_budget(world.runtime, batch_id, PLENTY)


def _is_held(runtime: Runtime, batch_id: UUID, reason: str) -> bool:
    return any((hold.scope_id, hold.reason) == (show("batch", batch_id), reason) for hold in held(runtime))


def _tried(act: Callable[[], None]) -> str:
    try:
        act()
    except (Conflict, NotFound) as refusal:
        return type(refusal).__name__
    return "done"
