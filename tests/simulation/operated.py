"""The operator's part of the histories that Hypothesis draws."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from app.services.reparse import NOT_RECOGNISED
from app.states import JobState
from tests.simulation import interventions
from tests.simulation.books import Books
from tests.simulation.invariants import expect
from tests.simulation.world import World

which = st.integers(0, 3)
amounts = st.sampled_from([Decimal(text) for text in ("0.000001", "0.000002", "0.000004", "1")])
"""Tasks cost 0.000001, 0.000002 and so on."""

FORGOTTEN = 2


class Operated(RuleBasedStateMachine):
    """An installation that somebody looks after, more or less wisely."""

    world: World
    batches: list[UUID]
    seen: Books

    @rule(batch=which, is_batch=st.booleans())
    def pauses_or_resumes(self, batch: int, is_batch: bool) -> None:
        batch_id, runtime = one_of(self.batches, batch), self.world.runtime
        if not is_batch:
            self.world.lift_provider() or self.world.hold_provider(20.0)
        elif interventions.is_paused(runtime, batch_id):
            interventions.resume(runtime, batch_id)
        else:
            interventions.pause(runtime, batch_id)

    @rule(batch=which, amount=amounts)
    def gives_a_budget(self, batch: int, amount: Decimal) -> None:
        interventions.give_budget(self.world.runtime, one_of(self.batches, batch), amount)

    @precondition(lambda self: self._unread(self.seen))
    @rule()
    def learns_to_read(self) -> None:
        interventions.learn_to_read(self.world, self.world.runtime)
        expect(not self._unread(self.world.books()), "what can be read is read", self._unread(self.world.books()))

    @precondition(lambda self: self.seen.jobs and len(self.world.ledger.forgotten) < FORGOTTEN)
    @rule(job=which)
    def an_answer_comes_to_what_was_forgotten(self, job: int) -> None:
        interventions.bring_what_was_forgotten(
            self.world, self.world.runtime, one_of(list(self.seen.jobs.values()), job)
        )

    @precondition(lambda self: self.world.ledger.forgotten)
    @rule(task=which)
    def matches_by_hand(self, task: int) -> None:
        forgotten = list(self.world.ledger.forgotten.values())
        interventions.match(self.world, self.world.runtime, one_of(forgotten, task))

    def _unread(self, books: Books) -> list[Any]:
        unread = (JobState.FAILED, NOT_RECOGNISED)
        return [job for job in books.jobs.values() if (job.state, job.error_code) == unread]


def one_of(items: Sequence[Any], number: int) -> Any:
    """Whichever the number falls on; the last for -1."""
    return items[number % len(items)]
