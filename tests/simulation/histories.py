"""Histories as Hypothesis draws them: every step is one thing that can happen, and afterwards everything must hold."""

import contextlib
import threading
from collections.abc import Sequence
from random import Random
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from app.providers.base import Lookup
from app.services import budgets, outcomes, sweeps
from app.services.claims import Claim
from app.services.outcomes import Sent
from app.states import OPEN_JOB_STATES, JobState
from tests.simulation import acts, interventions, rest
from tests.simulation.ledger import Task
from tests.simulation.operated import Operated, one_of, which
from tests.simulation.provider import UNFINISHED, Fate, Says
from tests.simulation.world import World

fates = st.sampled_from([*5 * [Fate.ACCEPTED], *Fate])
says = st.sampled_from([*3 * [Says.ANSWER, Says.FAILURE], *Says])
lives = st.sampled_from([1000.0, 1000.0, 150.0])
names = st.sampled_from([None, ["job-0"]])


class Histories(Operated):
    """One worker whose hands (`claimed`, `unwritten`) can be emptied by a crash between any two of its steps."""

    def __init__(self) -> None:
        super().__init__()
        self._open = contextlib.ExitStack()
        random = Random(0)  # noqa: S311 - ids, not secrets
        self.world = self._open.enter_context(World(random, max_in_flight=2).running())
        self.at = (self.world, self.world.runtime)
        self.batches: list[UUID] = []
        self.claimed: list[Claim] = []
        self.unwritten: list[Sent] = []
        self.waiting: list[Any] = []
        self.world.provider.later = self.waiting.append
        self.seen = self.world.books()

    # --- the owner ---

    @initialize(
        jobs=st.integers(1, 2), attempts=st.sampled_from([3, 2, 1]), lives=lives, unanswered=st.sampled_from([1, 2, 0])
    )
    def begins(self, jobs: int, attempts: int, lives: float, unanswered: int) -> None:
        """With so many submits that are out already, all but the last of them overdue."""
        self._create(jobs, attempts, lives)
        for _ in range(unanswered):
            self.no_answer_comes()

    @precondition(lambda self: len(self.batches) < 2)
    @rule(jobs=st.integers(1, 2), attempts=st.sampled_from([3, 2, 1]), lives=lives)
    def creates(self, jobs: int, attempts: int, lives: float) -> None:
        self._create(jobs, attempts, lives)

    def _create(self, jobs: int, attempts: int, lives: float) -> None:
        name = f"b{len(self.batches)}"
        prompts = [f"{name}/{number}" for number in range(jobs)]
        for _ in range(2):  # the second time as the first
            batch_id = acts.create(*self.at, prompts, key=name, max_attempts=attempts, expires_in_seconds=lives)
        self.batches.append(batch_id)

    @precondition(lambda self: self._has(OPEN_JOB_STATES))
    @rule(batch=which, names=names)
    def cancels(self, batch: int, names: list[str] | None) -> None:
        acts.cancel(*self.at, one_of(self.batches, batch), names)

    @precondition(lambda self: self._has((JobState.FAILED, JobState.CANCELLED)))
    @rule(batch=which, names=names)
    def retries(self, batch: int, names: list[str] | None) -> None:
        acts.retry(*self.at, one_of(self.batches, batch), names)

    @precondition(lambda self: not self._has(OPEN_JOB_STATES))
    @rule(batch=which)
    def removes(self, batch: int) -> None:
        acts.delete(*self.at, one_of(self.batches, batch))

    # --- the worker ---

    @rule(room=st.integers(1, 3))
    def claims(self, room: int) -> None:
        self.claimed += acts.claim(*self.at, room, is_idle=not self.claimed)

    @precondition(lambda self: self.claimed)
    @rule(claim=which, fate=fates)
    def sends(self, claim: int, fate: Fate) -> None:
        claimed = self.claimed.pop(claim % len(self.claimed))
        self.world.provider.fate = lambda: fate
        self.unwritten.append(acts.send(*self.at, claimed, threading.Event()))

    @precondition(lambda self: self.unwritten)
    @rule(many=st.booleans())
    def writes(self, many: bool) -> None:
        group = self.unwritten[:] if many else self.unwritten[:1]
        del self.unwritten[: len(group)]
        outcomes.record(self.world.runtime, group)

    @rule(fate=fates)
    def works(self, fate: Fate) -> None:
        """Claims, sends and writes down at once: what happens nearly always."""
        self.claims(3)
        while self.claimed:
            self.sends(0, fate)
        self.writes(many=True) if self.unwritten else None

    @precondition(lambda self: self.claimed or self.unwritten)
    @rule()
    def dies(self) -> None:
        self.claimed.clear()
        self.unwritten.clear()

    # --- the provider ---

    @precondition(lambda self: self.world.ledger.tasks)
    @rule(task=which, says=says, copy=st.integers(0, 1))
    def calls_back(self, task: int, says: Says, copy: int) -> None:
        acts.call_back(*self.at, self._task(task), says, copy)

    @precondition(lambda self: len(self.world.ledger.tasks) > 1)
    @rule(bodies=st.lists(st.tuples(which, says), min_size=2, max_size=4))
    def calls_back_together(self, bodies: list[tuple[int, Says]]) -> None:
        acts.call_back_together(*self.at, [(self._task(task), says) for task, says in bodies])

    @precondition(lambda self: self.waiting)
    @rule()
    def takes_what_was_given_up(self) -> None:
        self.waiting.pop()()

    @rule(said=st.sampled_from([Says.ANSWER, Says.FAILURE, *UNFINISHED]), can=st.booleans())
    def answers_when_asked(self, said: Says | Lookup, can: bool) -> None:
        self.world.provider.can_read_back = can
        self.world.provider.asked = lambda: said

    # --- time ---

    @rule(seconds=st.sampled_from([0.5, 3.0, 10.0, 16.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @rule(step=st.sampled_from(sweeps.STEPS))
    def a_step_of_the_sweep_runs(self, step: sweeps.Step) -> None:
        step(self.world.runtime)
        if step is budgets.settle:
            interventions.expect_budgets_kept(self.world)

    @rule()
    def the_next_alarm_rings(self) -> None:
        self._wait_for(OPEN_JOB_STATES)
        sweeps.sweep(self.world.runtime, "one")
        interventions.expect_budgets_kept(self.world)

    @rule()
    def no_answer_comes(self) -> None:
        """What is waited for times out and is submitted once more: most that is hard comes after this."""
        self._wait_for((JobState.WAITING,))
        sweeps.sweep(self.world.runtime, "one")
        self._wait_for((JobState.QUEUED,))
        self.works(Fate.ACCEPTED)

    def _wait_for(self, states: Sequence[JobState]) -> None:
        due = [job.due_at for job in self.world.books().jobs.values() if job.state in states]
        self.world.clock.advance_to(max(due, default=self.world.clock.now))

    # --- what has to hold ---

    @invariant()
    def everything_holds(self) -> None:
        self.seen = self.world.check()

    def teardown(self) -> None:
        with self._open:
            rest.settle(self.world)

    def _has(self, states: Sequence[JobState]) -> bool:
        return any(job.state in states for job in self.seen.jobs.values())

    def _task(self, number: int) -> Task:
        return one_of(list(self.world.ledger.tasks.values()), -1 - number)  # the latest is the likeliest
