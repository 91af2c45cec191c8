"""Cancel and delete: an owner's end of a batch holds, and what comes afterwards is kept or refused."""

from uuid import UUID

import pytest
import sqlalchemy
from freezegun.api import FrozenDateTimeFactory

from app.clock import now
from app.errors import Conflict, DatabaseUnavailable, NotFound
from app.models import metadata
from app.providers.base import Accepted, Held, Submission, SubmitOutcome
from app.runtime import Runtime
from app.services import batches
from tests.conftest import MakeRuntime
from tests.factories import (
    attempt_states,
    batch,
    counts,
    database_is_away,
    deliver,
    drain,
    held,
    interposed,
    job,
    outcomes,
    record,
    states,
    submit,
    sweep,
    take,
    take_one,
)
from tests.fakes import FakeProvider, failure, success


def test_a_cancel_ends_every_open_job_and_its_attempt(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(runtime, "done", "waiting", "submitting", "queued")
    done, waiting, _ = take(runtime, 3)
    deliver(runtime, done.submission, success("x"))
    record(runtime, waiting, Accepted("task-2", 200))
    assert batches.cancel(runtime, "alice", batch_id) == 3
    assert states(runtime, batch_id) == ["completed", "cancelled", "cancelled", "cancelled"]
    assert [attempt_states(job(runtime, batch_id, f"job-{n}")) for n in range(4)] == [
        ["completed"],
        ["cancelled"],
        ["cancelled"],
        [],
    ]
    found = batch(runtime, batch_id)
    assert (found.status, found.cancel_requested_at, found.finalized_at) == ("cancelled", now(), now())
    assert counts(runtime, batch_id) == {"completed": 1, "cancelled": 3}


def test_a_late_result_after_a_cancel_is_kept_as_late_and_its_cost_is_counted(
    runtime: Runtime, provider: FakeProvider
) -> None:
    batch_id = submit(runtime, "a")
    drain(runtime)
    batches.cancel(runtime, "alice", batch_id)
    deliver(runtime, provider.submissions[0], success("too late", task_id="task-1"))
    found = job(runtime, batch_id)
    assert (found.job.state, outcomes(found), found.result) == ("cancelled", ["late"], None)
    assert (str(batch(runtime, batch_id).cost), batch(runtime, batch_id).late) == ("0.000200000", 1)


@pytest.mark.parametrize("outcome", [Accepted("task-1", 200), Held("rate_limited", "slow", 30.0)])
def test_the_answer_to_a_submit_that_was_cancelled_meanwhile_moves_no_job(
    runtime: Runtime, outcome: SubmitOutcome, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    batches.cancel(runtime, "alice", batch_id)
    record(runtime, claimed, outcome)
    assert (states(runtime, batch_id), batch(runtime, batch_id).status) == (["cancelled"], "cancelled")
    assert len(held(runtime)) == isinstance(outcome, Held)  # what it says of the provider is true nevertheless


def test_a_cancel_in_the_middle_of_a_drain_stops_what_was_not_sent_yet(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    runtime = make_runtime(connections=1)
    provider = runtime.providers["hive_v2"]
    assert isinstance(provider, FakeProvider)
    batch_id = submit(runtime, "a", "b", "c")

    def cancel(_: Submission) -> SubmitOutcome:
        batches.cancel(runtime, "alice", batch_id)
        return Accepted("task-1", 200)

    provider.script.append(cancel)
    drain(runtime)
    assert states(runtime, batch_id) == ["cancelled"] * 3
    assert len(provider.submissions) == 1


def test_an_interrupted_cancel_is_carried_through_by_the_sweep(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a", "b")
    take(runtime, 1)
    with pytest.raises(DatabaseUnavailable):
        batches.cancel(interposed(runtime, before={2: database_is_away}), "alice", batch_id)
    assert (batch(runtime, batch_id).status, states(runtime, batch_id)) == ("cancelling", ["submitting", "queued"])
    assert not take(runtime)
    sweep(runtime)
    assert (batch(runtime, batch_id).status, states(runtime, batch_id)) == ("cancelled", ["cancelled"] * 2)


def test_a_large_batch_is_cancelled_whole(runtime: Runtime) -> None:
    batch_id = submit(runtime, *["x"] * 1001)
    assert batches.cancel(runtime, "alice", batch_id) == 1001
    assert counts(runtime, batch_id) == {"cancelled": 1001}


def test_named_jobs_are_cancelled_and_the_others_go_on(runtime: Runtime, provider: FakeProvider) -> None:
    batch_id = submit(runtime, "a", "b", "c")
    assert batches.cancel(runtime, "alice", batch_id, ["job-2", "job-0"]) == 2
    assert (states(runtime, batch_id), batch(runtime, batch_id).status) == (
        ["cancelled", "queued", "cancelled"],
        "in_progress",
    )
    drain(runtime)
    deliver(runtime, provider.submissions[0], success("x"))
    assert (batch(runtime, batch_id).status, counts(runtime, batch_id)) == (
        "completed",
        {"completed": 1, "cancelled": 2},
    )


def test_a_batch_whose_last_open_jobs_are_cancelled_by_name_ends(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    batches.cancel(runtime, "alice", batch_id, ["job-0"])
    assert batch(runtime, batch_id).finalized_at is not None


def test_a_second_cancel_changes_nothing(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(runtime, "a")
    batches.cancel(runtime, "alice", batch_id)
    before = batch(runtime, batch_id)
    clock.tick(5)
    assert batches.cancel(runtime, "alice", batch_id) == 0
    assert batch(runtime, batch_id) == before


def test_a_batch_that_has_ended_cannot_be_cancelled(runtime: Runtime) -> None:
    batch_id = _ended(runtime)
    with pytest.raises(Conflict):
        batches.cancel(runtime, "alice", batch_id)
    assert batch(runtime, batch_id).status == "completed"


def test_a_batch_of_somebody_else_can_neither_be_cancelled_nor_deleted(runtime: Runtime) -> None:
    open_id, ended_id = submit(runtime, "a"), _ended(runtime)
    with pytest.raises(NotFound):
        batches.cancel(runtime, "mallory", open_id)
    with pytest.raises(NotFound):
        batches.delete(runtime, "mallory", ended_id)
    assert "cancelled" not in states(runtime, open_id) + states(runtime, ended_id)


def _ended(runtime: Runtime) -> UUID:
    batch_id = submit(runtime, "ended")
    (claimed,) = [each for each in take(runtime) if each.submission.text_data == "ended"]
    deliver(runtime, claimed.submission, b"?")
    deliver(runtime, claimed.submission, success("x"))
    return batch_id


def test_a_deleted_batch_leaves_nothing_of_its_texts(runtime: Runtime) -> None:
    batch_id = _ended(runtime)
    batches.delete(runtime, "alice", batch_id)
    with pytest.raises(NotFound):
        batch(runtime, batch_id)
    with runtime.database.reading() as connection:
        left = {
            table.name: connection.execute(sqlalchemy.select(sqlalchemy.func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }
    assert {name for name, rows in left.items() if rows} == {"purged_batches", "audit_events", "limits", "throughput"}


def test_a_batch_that_is_not_finished_cannot_be_deleted(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    with pytest.raises(Conflict):
        batches.delete(runtime, "alice", batch_id)
    assert states(runtime, batch_id) == ["queued"]


def test_deleting_one_batch_leaves_the_others_alone(runtime: Runtime) -> None:
    deleted_id, kept_id = _ended(runtime), _ended(runtime)
    before = (batch(runtime, kept_id), job(runtime, kept_id))
    batches.delete(runtime, "alice", deleted_id)
    assert (batch(runtime, kept_id), job(runtime, kept_id)) == before


def test_the_answer_to_a_submit_whose_batch_was_deleted_meanwhile_is_dropped(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    other_id = submit(runtime, "b")
    gone, other = take(runtime)
    batches.cancel(runtime, "alice", batch_id)
    batches.delete(runtime, "alice", batch_id)
    record(runtime, gone, Accepted("task-1", 200))
    record(runtime, other, Accepted("task-2", 200))
    assert states(runtime, other_id) == ["waiting"]


def test_a_failed_job_stays_failed_when_its_batch_is_cancelled(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a", "b")
    first, _ = take(runtime)
    deliver(runtime, first.submission, failure("9"))
    batches.cancel(runtime, "alice", batch_id)
    assert states(runtime, batch_id) == ["failed", "cancelled"]
