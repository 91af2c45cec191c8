"""Replaying: a body that did nothing is looked at again by the inbox's own rules, as often as anybody likes."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import select

from app.errors import Conflict, NotFound
from app.ids import new_id
from app.models import audit_events
from app.providers.base import Accepted, Unreadable
from app.runtime import Runtime
from app.services import batches, byhand, callbacks, orphans, replaying
from app.services.audit import By
from app.store import figures
from app.tokens import CallbackSubject
from tests.factories import batch, counts, deliver, inbox_rows, job, outcomes, record, submit, take_one
from tests.fakes import FakeProvider, failure, success
from tests.integration.test_orphans import orphaned

BY = By("operator", "a better reader")


def only(runtime: Runtime) -> UUID:
    (row,) = inbox_rows(runtime)
    found: UUID = row.id
    return found


def audited(runtime: Runtime) -> list[tuple[str, str | None]]:
    with runtime.database.reading() as connection:
        rows = connection.execute(select(audit_events).order_by(audit_events.c.id)).all()
    return [(row.details.get("before"), row.details.get("after")) for row in rows if row.action == "callback.replay"]


@contextmanager
def unable_to_read(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a version before that understood less."""
    with monkeypatch.context() as patched:
        patched.setattr(provider, "read", lambda _: Unreadable("unknown"))
        yield


def assert_figures_are_right(runtime: Runtime, batch_id: UUID) -> None:
    with runtime.database.reading() as connection:
        assert figures.drift(connection, batch_id) == {}


def test_a_body_that_can_be_read_by_now_is_applied_once(
    runtime: Runtime, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    with unable_to_read(provider, monkeypatch):
        for _ in range(3):
            deliver(runtime, claimed.submission, success("understood", charge="0.5"))
        assert replaying.replay(runtime, only(runtime), BY) == "invalid"
    assert outcomes(job(runtime, batch_id)) == ["invalid"]
    assert replaying.replay(runtime, only(runtime), BY) == "applied"
    found = job(runtime, batch_id)
    assert found.result is not None
    assert (found.job.state, found.result.text, found.result.source) == ("completed", "understood", "callback")
    assert (outcomes(found), found.callbacks[0].times) == (["applied"], 3)
    with pytest.raises(Conflict, match="applied already"):
        replaying.replay(runtime, only(runtime), BY)
    after = batch(runtime, batch_id)
    assert (after.finalized_at is not None, after.duplicates, str(after.cost)) == (True, 2, "0.500000000")
    assert audited(runtime) == [("invalid", "invalid"), ("invalid", "applied")]
    assert_figures_are_right(runtime, batch_id)


def test_a_body_that_contradicts_what_is_known_still_does(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    record(runtime, claimed, Accepted("task-1", 200))
    deliver(runtime, claimed.submission, success("x", task_id="task-2"))
    assert replaying.replay(runtime, only(runtime), BY) == "conflict"
    assert counts(runtime, batch_id) == {"waiting": 1}


def test_a_late_answer_stays_late_for_a_job_that_was_cancelled(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    batches.cancel(runtime, None, batch_id)
    deliver(runtime, claimed.submission, success("x"))
    assert replaying.replay(runtime, only(runtime), BY) == "late"
    assert (counts(runtime, batch_id), batch(runtime, batch_id).late) == ({"cancelled": 1}, 1)
    assert_figures_are_right(runtime, batch_id)


def test_what_was_unreadable_and_comes_too_late_by_now_is_late(
    runtime: Runtime, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = submit(runtime, "a")
    with unable_to_read(provider, monkeypatch):
        deliver(runtime, take_one(runtime).submission, success("theirs"))
    callback_id = only(runtime)
    byhand.complete(runtime, job(runtime, batch_id).job.id, "mine", BY)
    assert replaying.replay(runtime, callback_id, BY) == "late"
    found = job(runtime, batch_id)
    assert found.result is not None
    assert (found.result.text, batch(runtime, batch_id).late) == ("mine", 1)
    assert_figures_are_right(runtime, batch_id)


def test_a_failure_that_could_not_be_read_fails_its_job_only_while_its_attempt_is_current(
    runtime: Runtime, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = submit(runtime, "a", max_attempts=1)
    with unable_to_read(provider, monkeypatch):
        deliver(runtime, take_one(runtime).submission, failure("9"))
    assert replaying.replay(runtime, only(runtime), BY) == "applied"
    assert counts(runtime, batch_id) == {"failed": 1}


def test_an_orphan_is_applied_by_a_replay_once_its_attempt_is_here(runtime: Runtime) -> None:
    batch_id, backup = orphaned(runtime)
    assert replaying.replay(runtime, only(runtime), BY) == "orphan"
    backup.recover()
    assert replaying.replay(runtime, only(runtime), BY) == "applied"
    assert counts(runtime, batch_id) == {"completed": 1}


def test_what_nobody_may_replay_is_left_alone(runtime: Runtime) -> None:
    token = runtime.signer.sign(CallbackSubject(new_id(), new_id()))
    callbacks.receive(runtime, token, success())
    orphans.discard(runtime, only(runtime), BY)
    with pytest.raises(Conflict, match="discarded"):
        replaying.replay(runtime, only(runtime), BY)
    with pytest.raises(NotFound):
        replaying.replay(runtime, new_id(), BY)
    assert audited(runtime) == []
