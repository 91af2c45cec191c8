"""Kept figures: at every moment, whatever happened, what a count of everything would give."""

import random
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from freezegun.api import FrozenDateTimeFactory
from sqlalchemy import delete, select, text

from app.cli import hivebatch
from app.errors import Conflict
from app.models import TOKENS, batch_figures
from app.providers.base import Accepted, Finished, Held, Rejected, Submission, SubmitOutcome, Unknown
from app.runtime import Runtime
from app.services import batches, finalizing, recount
from app.services.claims import Claim
from app.store import figures, schema
from migrations import runner
from tests.conftest import MakeRuntime
from tests.factories import (
    batch,
    counts,
    database_is_away,
    deliver,
    deliver_together,
    interposed,
    record,
    side_by_side,
    submit,
    sweep,
    take,
    take_one,
)
from tests.fakes import failure, success, unrecognised

OUTCOMES: Sequence[SubmitOutcome | None] = (
    Accepted("task", 200),
    Unknown("http_500", "perhaps", 500),
    Rejected("http_400", "no", 400),
    Held("rate_limited", "slow", 1.0),
    None,
)
BODIES = (success("x", charge="0.1"), success("y", charge="0.25"), failure("5"), failure("9"), unrecognised(), b"?")


def drift(runtime: Runtime, *batch_ids: UUID) -> dict[str, int]:
    """By how much the kept figures of these batches differ from counted ones."""
    found: dict[str, int] = {}
    with runtime.database.reading() as connection:
        for batch_id in batch_ids:
            found |= figures.drift(connection, batch_id)
    return found


def rows(runtime: Runtime, batch_id: UUID) -> int:
    """How many rows the figures of a batch are the sum of."""
    with runtime.database.reading() as connection:
        found = connection.execute(select(batch_figures).where(batch_figures.c.batch_id == batch_id))
        return len(found.all())


class History:
    """A random one of two batches: every step is one that a worker, the provider or the owner could take."""

    def __init__(self, runtime: Runtime, clock: FrozenDateTimeFactory, seed: int) -> None:
        self.runtime, self.clock, self.dice = runtime, clock, random.Random(seed)  # noqa: S311 - it has to repeat
        self.batch_ids = [submit(runtime, *"abcdefgh", max_attempts=2) for _ in range(2)]
        self.provider: Any = runtime.providers["hive_v2"]
        self.claimed: list[Claim] = []
        self.sent: list[Submission] = []

    def step(self) -> None:
        steps: Sequence[Callable[[], object]] = (
            self.claim,
            self.record,
            self.record,
            self.call_back,
            self.call_back,
            self.call_back,
            self.wait,
            self.cancel,
            self.retry,
        )
        self.dice.choice(steps)()

    def claim(self) -> None:
        taken = take(self.runtime, self.dice.randint(1, 6))
        self.claimed += taken
        self.sent += [claimed.submission for claimed in taken]

    def record(self) -> None:
        if self.claimed:
            claimed = self.claimed.pop(self.dice.randrange(len(self.claimed)))
            record(self.runtime, claimed, self.dice.choice(OUTCOMES))

    def call_back(self) -> None:
        if self.sent:
            bodies = [(self.dice.choice(self.sent), self.dice.choice(BODIES)) for _ in range(self.dice.randint(1, 4))]
            deliver_together(self.runtime, *bodies)

    def wait(self) -> None:
        self.provider.can_read_back = self.dice.random() < 0.7
        self.provider.tasks["task"] = Finished(self.dice.choice(BODIES))
        self.clock.tick(self.dice.choice((1, 20, 100)))
        sweep(self.runtime)

    def cancel(self) -> None:
        self._try(lambda batch_id: batches.cancel(self.runtime, "alice", batch_id, self._names()))

    def retry(self) -> None:
        self._try(lambda batch_id: batches.retry(self.runtime, "alice", batch_id, self._names()))

    def _names(self) -> list[str] | None:
        return self.dice.choice((None, [f"job-{self.dice.randrange(8)}"], [f"job-{self.dice.randrange(8)}"]))

    def _try(self, action: Callable[[UUID], object]) -> None:
        try:
            action(self.dice.choice(self.batch_ids))
        except Conflict:
            return


@pytest.mark.parametrize("seed", range(8))
def test_after_every_step_of_a_random_history_the_kept_figures_are_the_counted_ones(
    runtime: Runtime, clock: FrozenDateTimeFactory, seed: int
) -> None:
    history = History(runtime, clock, seed)
    for number in range(60):
        history.step()
        assert drift(runtime, *history.batch_ids) == {}, number
    shown = [batch(runtime, batch_id) for batch_id in history.batch_ids]
    assert [sum(each.counts.values()) for each in shown] == [8, 8]


def test_random_histories_meet_everything_that_is_counted(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    seen: set[str] = set()
    for seed in range(20):
        seen |= _met(History(runtime, clock, seed))
        if seen == set(figures.FIGURES):
            break
    assert seen == set(figures.FIGURES)


def _met(history: History) -> set[str]:
    """The figures of which something was counted on the way."""
    seen: set[str] = set()
    for _ in range(100):
        history.step()
        with history.runtime.database.reading() as connection:
            for found in figures.of_batches(connection, history.batch_ids).values():
                seen |= {name for name, number in found.items() if number}
    return seen


def test_the_figures_of_an_ended_batch_follow_whatever_comes_late(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a", "b", "c", max_attempts=1)
    first, second, third = (claimed.submission for claimed in take(runtime))
    deliver(runtime, first, success("x", charge="0.1"))
    deliver(runtime, second, failure("9"))
    deliver(runtime, third, failure("9"))
    for submitted, body in [
        (first, success("x", charge="0.1")),  # repeated
        (first, success("another", charge="0.2")),  # late, and it costs
        (second, success("y", charge="0.4")),  # completes a failed job
        (second, success("y", charge="0.4")),  # repeated
        (third, failure("9")),  # repeated
        (third, b"nobody can read this"),
    ]:
        deliver(runtime, submitted, body)
    found = batch(runtime, batch_id)
    assert (found.status, counts(runtime, batch_id)) == ("completed", {"completed": 2, "failed": 1})
    assert (found.late, found.duplicates, str(found.cost)) == (1, 3, "0.600000000")
    assert drift(runtime, batch_id) == {}


def test_what_was_asked_for_and_what_may_have_been_paid_twice_are_told_apart(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "asked for", "lost", "unknown", "not accepted", "failed")
    provider: Any = runtime.providers["hive_v2"]
    provider.can_read_back = True
    provider.tasks["task-0"] = Finished(success("x", task_id="task-0"))
    first = take(runtime)
    outcomes = [Accepted("task-0", 200), Accepted("task-1", 200), Unknown("http_500", "?", 500), None]
    for claimed, outcome in zip(first, outcomes, strict=False):
        record(runtime, claimed, outcome)
    deliver(runtime, first[4].submission, failure("5"))
    assert (batch(runtime, batch_id).read_back, batch(runtime, batch_id).possibly_doubled) == (0, 0)
    clock.tick(120)
    sweep(runtime)
    clock.tick(60)
    again = take(runtime)
    for claimed in again:
        record(runtime, claimed, Accepted("again", 200))
    found = batch(runtime, batch_id)
    assert (len(again), found.read_back, found.possibly_doubled, found.retries) == (4, 1, 2, 3)
    assert drift(runtime, batch_id) == {}


def test_a_body_that_comes_twice_in_one_group_is_one_body_and_one_repeat(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    submitted = take_one(runtime).submission
    deliver_together(runtime, *[(submitted, b"?")] * 3)
    assert (batch(runtime, batch_id).duplicates, drift(runtime, batch_id)) == (2, {})


def test_a_late_answer_that_a_retry_takes_is_late_no_longer(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    submitted = take_one(runtime).submission
    batches.cancel(runtime, "alice", batch_id)
    deliver(runtime, submitted, success("x"))
    assert batch(runtime, batch_id).late == 1
    assert batches.retry(runtime, "alice", batch_id, None).salvaged == 1
    assert (batch(runtime, batch_id).late, drift(runtime, batch_id)) == (0, {})


def test_what_is_moved_while_the_figures_are_folded_stays_counted(make_runtime: MakeRuntime) -> None:
    one, two = make_runtime(), make_runtime()
    batch_id = submit(one, *["x"] * 40)
    claimed = take(one)

    def call_back() -> None:
        for each in claimed[1:]:
            deliver(two, each.submission, success("x"))

    def fold() -> None:
        while counts(one, batch_id) != {"submitting": 1, "completed": 39}:
            finalizing.settle(one)

    side_by_side(call_back, fold, lambda: [finalizing.settle(two) for _ in range(20)])
    assert drift(one, batch_id) == {}


def test_the_sweep_makes_one_row_of_what_many_transactions_left(runtime: Runtime) -> None:
    batch_id = submit(runtime, *["x"] * 5)
    for claimed in take(runtime, 4):
        record(runtime, claimed, Accepted("task", 200))
    before = counts(runtime, batch_id)
    assert rows(runtime, batch_id) == 6
    sweep(runtime)
    assert (rows(runtime, batch_id), counts(runtime, batch_id)) == (1, before)


def test_a_batch_that_ended_unseen_is_found_again_when_the_fold_of_its_figures_broke_off(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    deliver(interposed(runtime, before={2: database_is_away}), claimed.submission, success("x"))

    def dies() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finalizing.settle(interposed(runtime, before_commit=dies))
    assert batch(runtime, batch_id).finalized_at is None
    sweep(runtime)
    assert (batch(runtime, batch_id).status, rows(runtime, batch_id)) == ("completed", 1)


def test_a_recount_corrects_what_was_changed_behind_our_back_and_nothing_else(runtime: Runtime) -> None:
    changed_id, other_id = submit(runtime, "a", "b"), submit(runtime, "c")
    with runtime.database.transaction() as connection:
        connection.execute(delete(batch_figures).where(batch_figures.c.batch_id == changed_id))
    assert counts(runtime, changed_id) == {}
    assert recount.recount(runtime) == 1
    assert (counts(runtime, changed_id), counts(runtime, other_id)) == ({"queued": 2}, {"queued": 1})
    assert recount.recount(runtime) == 0


def test_the_command_says_whether_there_was_anything_to_correct(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(runtime, "a")
    monkeypatch.setenv("HIVEBATCH_DATABASE_URL", str(runtime.settings.database_url))
    monkeypatch.setenv("HIVEBATCH_SECRET_KEY", runtime.settings.secret_keys[0])
    assert CliRunner().invoke(hivebatch, ["db", "recount"]).output == "All figures are right.\n"
    with runtime.database.transaction() as connection:
        connection.execute(delete(batch_figures))
    assert CliRunner().invoke(hivebatch, ["db", "recount"]).output == "1 batches corrected.\n"


INTRODUCED = (
    "DROP TABLE breakers",
    "DROP INDEX ix_batches_budgeted",
    "ALTER TABLE batches DROP COLUMN budget_nano",
    "DROP TABLE batch_figures",
    "ALTER TABLE attempts DROP COLUMN is_permanent",
    "DROP INDEX ix_batches_cancelling",
    "DROP INDEX ix_batches_finished",
    "DROP INDEX ix_batches_removed",
    "ALTER TABLE batches DROP COLUMN removed_at",
    "UPDATE alembic_version SET version_num = '0001_initial'",
)
"""What undoes the migrations that brought the kept figures and what they are made of."""


def test_batches_from_before_figures_were_kept_are_counted_by_the_migration(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    history = History(runtime, clock, seed=4)
    for _ in range(150):
        history.step()
    before = [batch(runtime, batch_id) for batch_id in history.batch_ids]
    with runtime.database.transaction() as connection:
        for statement in INTRODUCED:
            connection.execute(text(statement))
    for revision, after in (("0003_brakes", "0007_files"), ("0008_paying_again", schema.HEAD)):
        runner.upgrade(runtime.database, revision)
        with runtime.database.transaction() as connection:  # what came between was never undone
            connection.execute(text("UPDATE alembic_version SET version_num = :after"), {"after": after})
    with runtime.database.transaction() as connection:  # but for what a later one added to the dropped table
        for name in TOKENS:
            connection.execute(text(f"ALTER TABLE batch_figures ADD COLUMN {name} BIGINT"))
    assert any(each.read_back for each in before)
    assert any(each.possibly_doubled for each in before)
    assert [batch(runtime, batch_id) for batch_id in history.batch_ids] == before
    assert drift(runtime, *history.batch_ids) == {}
