"""Orphans: callbacks whose attempt isn't here are matched when it turns up, by hand, or discarded; and applied once."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest
from freezegun.api import FrozenDateTimeFactory
from sqlalchemy import Row, insert, select

from app import ids
from app.clock import now
from app.db import Connection
from app.errors import Conflict, NotFound
from app.ids import show
from app.models import attempts, audit_events, job_results, jobs
from app.runtime import Runtime
from app.services import callbacklists, callbacks, matching, orphans, sweeps
from app.services.audit import By
from app.states import AttemptState, JobState
from app.store import figures
from app.tokens import CallbackSubject
from tests.factories import (
    attempt_states,
    batch,
    counts,
    deliver,
    inbox_rows,
    interposed,
    job,
    outcomes,
    side_by_side,
    states,
    submit,
    sweep,
    take_one,
    token_of,
)
from tests.fakes import failure, success, unrecognised


class Backup:
    """What the database knew of a batch's jobs before they were claimed, and what was written of the claims since."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        with runtime.database.reading() as connection:
            self._jobs: Sequence[Row[Any]] = connection.execute(select(jobs)).all()
        self._attempts: Sequence[dict[str, Any]] = ()

    def restore(self) -> None:
        """Forget what was claimed since."""
        with self._runtime.database.transaction() as connection:
            self._attempts = [row._asdict() for row in connection.execute(select(attempts))]
            connection.execute(attempts.delete())
            for row in self._jobs:
                connection.execute(jobs.update().where(jobs.c.id == row.id), row._asdict())
            self._count_again(connection)

    def recover(self) -> None:
        """The attempts turn up after all, from a better backup, acked."""
        with self._runtime.database.transaction() as connection:
            rows = [row | {"state": AttemptState.WAITING} for row in self._attempts]
            connection.execute(insert(attempts), rows)
            for row in rows:
                changed = {
                    "state": JobState.WAITING,
                    "attempts": 1,
                    "last_number": 1,
                    "current_attempt_id": row["id"],
                }
                connection.execute(jobs.update().where(jobs.c.id == row["job_id"]), changed)
            self._count_again(connection)

    def _count_again(self, connection: Connection) -> None:
        for batch_id in {row.batch_id for row in self._jobs}:
            figures.add(connection, {batch_id: figures.drift(connection, batch_id)})


def orphaned(runtime: Runtime, *bodies: bytes) -> tuple[UUID, Backup]:
    """A batch of one job that was claimed, forgotten with its backup, and called back with these bodies."""
    batch_id = submit(runtime, "a")
    backup = Backup(runtime)
    claimed = take_one(runtime)
    backup.restore()
    for body in bodies or (success("found", task_id="task-1"),):
        deliver(runtime, claimed.submission, body)
    return batch_id, backup


def only(runtime: Runtime) -> UUID:
    """The one orphan that is listed."""
    (listed,) = orphans.listing(runtime).items
    return listed.id


def job_id(runtime: Runtime, batch_id: UUID) -> UUID:
    return job(runtime, batch_id).job.id


def drift(runtime: Runtime, batch_id: UUID) -> Mapping[str, int]:
    with runtime.database.reading() as connection:
        return figures.drift(connection, batch_id)


def audited(runtime: Runtime) -> list[tuple[str, str, str]]:
    with runtime.database.reading() as connection:
        rows = connection.execute(select(audit_events).order_by(audit_events.c.id)).all()
    return [(row.actor, row.action, row.details["reason"]) for row in rows if row.action.startswith("callback.")]


# --- by itself ---


def test_an_orphan_is_applied_once_its_attempt_turns_up(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id, backup = orphaned(runtime)
    first_received_at = now()
    sweep(runtime)
    assert [row.outcome for row in inbox_rows(runtime)] == ["orphan"]
    backup.recover()
    clock.tick(31)
    sweep(runtime)
    found = job(runtime, batch_id)
    assert (found.job.state, attempt_states(found), outcomes(found)) == ("completed", ["completed"], ["applied"])
    assert found.result is not None
    assert (found.result.text, found.result.source) == ("found", "callback")
    assert (found.callbacks[0].received_at, found.callbacks[0].times) == (first_received_at, 1)
    assert orphans.listing(runtime).items == ()
    assert batch(runtime, batch_id).status == "completed"


def test_a_repeat_that_was_counted_stays_counted_once(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    body = success("found")
    batch_id, backup = orphaned(runtime, body, body, body)
    assert batch(runtime, batch_id).duplicates == 0
    backup.recover()
    sweep(runtime)
    assert (batch(runtime, batch_id).duplicates, batch(runtime, batch_id).late) == (2, 0)
    clock.tick(3600)
    sweep(runtime)
    assert (batch(runtime, batch_id).duplicates, outcomes(job(runtime, batch_id))) == (2, ["applied"])
    assert drift(runtime, batch_id) == {}


@pytest.mark.parametrize("is_discarded", [False, True], ids=["listed", "discarded"])
def test_a_repeat_that_finds_the_attempt_before_the_sweep_does_is_applied_and_counted_once(
    runtime: Runtime, clock: FrozenDateTimeFactory, is_discarded: bool
) -> None:
    batch_id = submit(runtime, "a")
    backup = Backup(runtime)
    claimed = take_one(runtime)
    backup.restore()
    deliver(runtime, claimed.submission, success("found"))
    if is_discarded:
        orphans.discard(runtime, only(runtime), By("cli", "not ours"))
    backup.recover()
    deliver(runtime, claimed.submission, success("found"))
    found = job(runtime, batch_id)
    assert (found.job.state, outcomes(found), found.callbacks[0].times) == ("completed", ["applied"], 2)
    assert (batch(runtime, batch_id).duplicates, drift(runtime, batch_id)) == (1, {})
    clock.tick(31)
    sweep(runtime)
    assert (batch(runtime, batch_id).duplicates, drift(runtime, batch_id)) == (1, {})


def test_two_sweeps_at_once_apply_an_orphan_once(runtime: Runtime) -> None:
    batch_id, backup = orphaned(runtime)
    backup.recover()
    side_by_side(*[lambda: orphans.rematch(runtime)] * 2)
    assert outcomes(job(runtime, batch_id)) == ["applied"]
    assert counts(runtime, batch_id) == {"completed": 1}


def test_an_orphan_that_is_discarded_while_the_sweep_looks_at_it_is_left_alone(runtime: Runtime) -> None:
    batch_id, backup = orphaned(runtime)
    backup.recover()
    found = only(runtime)
    raced = interposed(runtime, before={2: lambda: orphans.discard(runtime, found, By("cli", "not ours"))})
    orphans.rematch(raced)
    assert states(runtime, batch_id) == ["waiting"]


def test_a_sweep_looks_at_an_orphan_ever_more_seldom_and_after_a_day_no_more(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    orphaned(runtime)
    looks = []
    for _ in range(26 * 6):
        before = inbox_rows(runtime)[0].rematch_at
        sweep(runtime)
        looks.append(inbox_rows(runtime)[0].rematch_at != before)
        clock.tick(600)
    assert 6 <= sum(looks) <= 12
    assert any(looks[6 * 23 :])
    assert inbox_rows(runtime)[0].rematch_at is None


def test_a_sweep_looks_at_a_chunk_of_orphans_and_comes_again_at_once(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, clock: FrozenDateTimeFactory
) -> None:
    for _ in range(3):
        token = runtime.signer.sign(CallbackSubject(ids.new_id(), ids.new_id()))
        callbacks.receive(runtime, token, success())
    monkeypatch.setattr(orphans, "CHUNK", 2)
    assert [sweep(runtime).next_at == now(), sweep(runtime).next_at == now()] == [True, False]
    assert all(row.rematch_at > now() for row in inbox_rows(runtime))


def test_an_orphan_that_completes_a_job_of_a_finalized_batch_corrects_its_figures(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    body = success("found", charge="0.5")
    batch_id, backup = orphaned(runtime, body, body)
    backup.recover()
    clock.tick(1)
    with runtime.database.transaction() as connection:
        connection.execute(jobs.update(), {"max_attempts": 1, "due_at": now()})
    sweeps.time_out(runtime)  # before the orphans have their turn
    assert counts(runtime, batch_id) == {"failed": 1}
    assert batch(runtime, batch_id).finalized_at is not None
    sweep(runtime)
    after = batch(runtime, batch_id)
    assert (counts(runtime, batch_id), after.duplicates, str(after.cost)) == ({"completed": 1}, 1, "0.500000000")
    assert drift(runtime, batch_id) == {}


# --- by hand ---


def test_a_match_by_hand_completes_the_job_counts_the_submit_and_is_audited(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    body = success("found", task_id="task-1", charge="0.25")
    batch_id, _ = orphaned(runtime, body, body)
    found_id = only(runtime)
    matching.match(runtime, found_id, job_id(runtime, batch_id), by=By("cli", "seen at the provider"))
    found = job(runtime, batch_id)
    assert (found.job.state, attempt_states(found), outcomes(found)) == ("completed", ["completed"], ["applied"])
    assert (found.job.attempts, found.attempts[0].provider_task_id) == (1, "task-1")
    assert found.result is not None
    assert (found.result.text, found.result.source) == ("found", "operator")
    with runtime.database.reading() as connection:
        stored = connection.execute(select(job_results)).one()
    (row,) = inbox_rows(runtime)
    assert (stored.source_sha256, stored.callback_id, stored.attempt_id) == (row.sha256, row.id, row.attempt_id)
    assert str(batch(runtime, batch_id).cost) == "0.250000000"
    assert (batch(runtime, batch_id).status, batch(runtime, batch_id).duplicates) == ("completed", 1)
    assert drift(runtime, batch_id) == {}
    assert audited(runtime) == [("cli", "callback.match", "seen at the provider")]
    with pytest.raises(NotFound):
        matching.match(runtime, found_id, job_id(runtime, batch_id), by=By("cli", "again"))


def test_what_is_submitted_meanwhile_is_superseded_by_a_match(runtime: Runtime) -> None:
    batch_id, _ = orphaned(runtime)
    take_one(runtime)
    matching.match(runtime, only(runtime), job_id(runtime, batch_id), by=By("cli", "x"))
    assert attempt_states(job(runtime, batch_id)) == ["superseded", "completed"]


def test_a_completed_job_keeps_its_answer_whatever_is_matched(runtime: Runtime) -> None:
    batch_id, _ = orphaned(runtime)
    deliver(runtime, take_one(runtime).submission, success("mine"))
    with pytest.raises(Conflict, match="never replaced"):
        matching.match(runtime, only(runtime), job_id(runtime, batch_id), by=By("cli", "x"))
    found = job(runtime, batch_id)
    assert found.result is not None
    assert (found.result.text, len(found.attempts), audited(runtime)) == ("mine", 1, [])


@pytest.mark.parametrize("body", [failure("9"), unrecognised(), b"?"])
def test_a_body_without_an_answer_matches_no_job(runtime: Runtime, body: bytes) -> None:
    batch_id, _ = orphaned(runtime, body)
    with pytest.raises(Conflict, match=r"(?i)no answer"):
        matching.match(runtime, only(runtime), job_id(runtime, batch_id), by=By("cli", "x"))
    assert states(runtime, batch_id) == ["queued"]


def test_a_body_that_names_another_job_takes_saying_so(runtime: Runtime) -> None:
    batch_id, _ = orphaned(runtime, success("of the old batch", metadata=show("job", ids.new_id())))
    this = job_id(runtime, batch_id)
    with pytest.raises(Conflict, match="another job"):
        matching.match(runtime, only(runtime), this, by=By("cli", "x"))
    matching.match(runtime, only(runtime), this, by=By("cli", "submitted anew"), despite_metadata=True)
    assert states(runtime, batch_id) == ["completed"]


def test_an_orphan_whose_attempt_is_here_by_now_is_no_other_jobs(runtime: Runtime) -> None:
    _, backup = orphaned(runtime)
    backup.recover()
    other = submit(runtime, "b")
    with pytest.raises(Conflict, match="the sweep will match it"):
        matching.match(runtime, only(runtime), job_id(runtime, other), by=By("cli", "x"))


def test_two_operators_at_once_match_an_orphan_to_one_job(runtime: Runtime) -> None:
    batch_id, _ = orphaned(runtime)
    other = submit(runtime, "b")
    found_id = only(runtime)

    def match(target: UUID) -> str:
        try:
            matching.match(runtime, found_id, target, by=By("cli", "x"))
        except (NotFound, Conflict) as error:
            return type(error).__name__
        return "matched"

    targets = [job_id(runtime, batch_id), job_id(runtime, other)]
    done = side_by_side(*[lambda target=target: match(target) for target in targets])
    assert done.count("matched") == 1
    assert [*states(runtime, batch_id), *states(runtime, other)].count("completed") == 1


def test_a_discarded_orphan_is_kept_marked_and_never_applied(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id, backup = orphaned(runtime)
    found_id = only(runtime)
    orphans.discard(runtime, found_id, By("cli", "not ours"))
    backup.recover()
    clock.tick(45)
    sweep(runtime)
    (row,) = inbox_rows(runtime)
    assert (row.outcome, row.discarded_at is not None) == ("orphan", True)
    assert states(runtime, batch_id) != ["completed"]
    assert (orphans.listing(runtime).items, audited(runtime)) == ((), [("cli", "callback.discard", "not ours")])
    with pytest.raises(NotFound):
        orphans.discard(runtime, found_id, By("cli", "again"))
    with pytest.raises(NotFound):
        matching.match(runtime, found_id, job_id(runtime, batch_id), by=By("cli", "x"))


def test_orphans_are_listed_newest_first_over_pages(runtime: Runtime) -> None:
    for number in range(3):
        token = runtime.signer.sign(CallbackSubject(ids.new_id(), ids.new_id()))
        callbacks.receive(runtime, token, success(str(number)))
    first = orphans.listing(runtime, limit=2)
    second = orphans.listing(runtime, first.next_cursor, limit=2)
    rows = {row.id: json.loads(row.body) for row in inbox_rows(runtime)}
    shown = [rows[each.id] for each in (*first.items, *second.items)]
    texts = [body["status"][0]["response"]["output"][0]["choices"][0]["message"]["content"] for body in shown]
    assert (texts, second.next_cursor) == (["2", "1", "0"], None)


def test_a_token_of_an_orphan_is_answered_like_any_other(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    backup = Backup(runtime)
    claimed = take_one(runtime)
    backup.restore()
    callbacks.receive(runtime, token_of(claimed.submission), success())
    assert callbacklists.detail(runtime, only(runtime)).says == "an answer"
    assert states(runtime, batch_id) == ["queued"]
