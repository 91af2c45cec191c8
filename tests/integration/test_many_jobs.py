"""Many jobs at once: the chosen ones, or all that a filter means, each once, however often it is asked."""

from uuid import UUID

import pytest
from sqlalchemy import select

from app.ids import new_id
from app.models import audit_events
from app.runtime import Runtime
from app.services import batches, bulk, status
from app.services.audit import By
from app.services.bulk import Action, Done
from app.services.joblists import JobFilter
from tests.factories import batch, counts, deliver, interposed, submit, take, take_one
from tests.fakes import failure, success

BY = By("operator", "an outage")


def ids(runtime: Runtime, batch_id: UUID) -> list[UUID]:
    return [each.id for each in status.jobs(runtime, None, batch_id, limit=1000).items]


def failed(runtime: Runtime, number: int) -> UUID:
    """A batch of so many jobs, all of which have failed."""
    batch_id = submit(runtime, *["x"] * number, max_attempts=1)
    for claimed in take(runtime, number):
        deliver(runtime, claimed.submission, failure("9"))
    return batch_id


def audited(runtime: Runtime) -> list[tuple[str, str, str | None]]:
    with runtime.database.reading() as connection:
        rows = connection.execute(select(audit_events).order_by(audit_events.c.id)).all()
    return [(row.action, row.subject, row.details.get("reason")) for row in rows if row.action.startswith("jobs.")]


def test_the_chosen_jobs_of_several_batches_are_retried_and_the_others_are_told(runtime: Runtime) -> None:
    first, second = failed(runtime, 2), failed(runtime, 1)
    queued = submit(runtime, "x")
    chosen = [ids(runtime, first)[0], *ids(runtime, second), *ids(runtime, queued), new_id()]
    assert bulk.chosen(runtime, "retry", chosen, BY) == Done(queued=2, stale={"queued": 1, "gone": 1})
    assert (counts(runtime, first), counts(runtime, second)) == ({"queued": 1, "failed": 1}, {"queued": 1})
    assert {batch(runtime, each).finalized_at for each in (first, second)} == {None}
    assert {batch(runtime, each).round for each in (first, second)} == {2}
    assert audited(runtime) == [("jobs.retry", "4 jobs", "an outage")]


def test_doing_it_again_changes_nothing_and_says_what_the_jobs_are_now(runtime: Runtime) -> None:
    batch_id = failed(runtime, 3)
    bulk.chosen(runtime, "retry", ids(runtime, batch_id), BY)
    assert bulk.chosen(runtime, "retry", ids(runtime, batch_id), BY) == Done(stale={"queued": 3})
    assert (batch(runtime, batch_id).round, len(audited(runtime))) == (2, 1)
    assert bulk.chosen(runtime, "cancel", ids(runtime, batch_id), BY) == Done(cancelled=3)
    assert bulk.chosen(runtime, "cancel", ids(runtime, batch_id), BY) == Done(stale={"cancelled": 3})
    assert batch(runtime, batch_id).finalized_at is not None


def test_an_answer_that_is_stored_is_taken_in_place_of_a_submit(runtime: Runtime) -> None:
    batch_id = submit(runtime, "x")
    claimed = take_one(runtime)
    bulk.chosen(runtime, "cancel", ids(runtime, batch_id), BY)
    deliver(runtime, claimed.submission, success("late"))
    assert bulk.chosen(runtime, "retry", ids(runtime, batch_id), BY) == Done(salvaged=1)
    assert (counts(runtime, batch_id), batch(runtime, batch_id).status) == ({"completed": 1}, "completed")


@pytest.mark.parametrize(
    ("action", "state", "after"), [("retry", "failed", "queued"), ("cancel", "queued", "cancelled")]
)
def test_all_that_match_are_done_step_by_step_and_nothing_else(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, action: Action, state: str, after: str
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 4)
    monkeypatch.setattr(bulk, "_CHUNKS", {"retry": 2, "cancel": 2})
    wanted = failed(runtime, 7)
    other = submit(runtime, *["x"] * 7)
    target, left = (wanted, other) if action == "retry" else (other, wanted)
    before = counts(runtime, left)
    done, cursor = bulk.matching(runtime, action, JobFilter((state,)), None, BY)
    assert (done.changed, cursor is not None) == (4, True)
    done, cursor = bulk.matching(runtime, action, JobFilter((state,)), cursor, BY)
    assert (done.changed, cursor) == (3, None)
    assert (counts(runtime, target), counts(runtime, left)) == ({after: 7}, before)
    assert bulk.matching(runtime, action, JobFilter((state,), batch_id=target), None, BY) == (Done(), None)


def test_a_filter_without_a_state_means_those_that_it_can_be_done_to(runtime: Runtime) -> None:
    batch_id = submit(runtime, *"abc", max_attempts=1)
    claimed = take(runtime, 2)
    deliver(runtime, claimed[0].submission, success("x"))
    deliver(runtime, claimed[1].submission, failure("9"))
    done, _ = bulk.matching(runtime, "retry", JobFilter(batch_id=batch_id), None, BY)
    assert (done, counts(runtime, batch_id)) == (Done(queued=1), {"completed": 1, "queued": 2})
    done, _ = bulk.matching(runtime, "cancel", JobFilter(batch_id=batch_id, min_attempts=1), None, BY)
    assert (done, counts(runtime, batch_id)) == (Done(cancelled=1), {"completed": 1, "queued": 1, "cancelled": 1})
    for states in (("completed",), ("queued",)):
        assert bulk.matching(runtime, "retry", JobFilter(states, batch_id=batch_id), None, BY) == (Done(), None)


def test_jobs_that_can_never_be_retried_do_not_hold_up_the_others(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_CHUNKS", {"retry": 1, "cancel": 1})
    batch_id = failed(runtime, 3)
    cancelled = submit(runtime, "x")
    batches.cancel(runtime, None, cancelled)
    done, cursor = bulk.matching(runtime, "retry", JobFilter(("failed", "cancelled")), None, BY)
    assert (done.queued, cursor) == (4, None)
    assert counts(runtime, batch_id) == {"queued": 3}


def test_a_retry_in_several_chunks_is_one_round_of_its_batch(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_CHUNKS", {"retry": 2, "cancel": 2})
    batch_id = failed(runtime, 5)
    assert bulk.chosen(runtime, "retry", ids(runtime, batch_id), BY) == Done(queued=5)
    assert batch(runtime, batch_id).round == 2


def test_a_batch_that_is_cancelled_between_two_chunks_is_left_cancelled(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_CHUNKS", {"retry": 2, "cancel": 2})
    batch_id = failed(runtime, 4)
    raced = interposed(runtime, after={1: lambda: batches.cancel(runtime, None, batch_id)})
    assert bulk.chosen(raced, "retry", ids(runtime, batch_id), BY) == Done(queued=2, stale={"failed": 2})
    assert counts(runtime, batch_id) == {"cancelled": 2, "failed": 2}
