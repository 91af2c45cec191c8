"""Removal: a batch is gone at once, its rows go in chunks that any worker carries on, old ones by themselves."""

from uuid import UUID

import pytest
from freezegun.api import FrozenDateTimeFactory
from sqlalchemy import func, select

from app.errors import NotFound
from app.models import audit_events, metadata
from app.providers.base import Accepted
from app.runtime import Runtime
from app.services import batches, creation, removal, results, status
from app.services.views import NewBatch, NewJob
from tests.conftest import MakeRuntime
from tests.factories import (
    batch,
    database_is_away,
    deliver,
    deliver_together,
    inbox_rows,
    interposed,
    job,
    record,
    side_by_side,
    submit,
    sweep,
    take,
    take_one,
)
from tests.fakes import success

DAY = 86400
LARGE = removal.CHUNK + 20


def finished(runtime: Runtime, number: int = 1) -> UUID:
    """A batch with so many jobs, one of them answered, that has ended."""
    batch_id = submit(runtime, *["x"] * number)
    deliver(runtime, take(runtime, 1)[0].submission, success("x"))
    if number > 1:
        batches.cancel(runtime, "alice", batch_id)
    assert batch(runtime, batch_id).finalized_at is not None
    return batch_id


def left(runtime: Runtime) -> dict[str, int]:
    """How many rows there are of what batches hold."""
    lasting = {"audit_events", "latencies", "limits", "throughput", "worker_beats"}
    with runtime.database.reading() as connection:
        counted = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
            if table.name not in lasting
        }
    return {name: number for name, number in counted.items() if number}


def sweep_until_idle(runtime: Runtime) -> int:
    """Sweep as long as a chunk was full; how many sweeps that were."""
    for number in range(1, 20):
        if not removal.remove_marked(runtime):
            return number
    raise AssertionError("there is no end to it")


def test_a_large_batch_is_gone_for_everybody_before_its_rows_are(runtime: Runtime) -> None:
    batch_id, kept_id = finished(runtime, LARGE), finished(runtime)
    gone = job(runtime, batch_id, f"job-{LARGE - 1}").job.id
    batches.delete(runtime, "alice", batch_id)
    assert 0 < left(runtime)["jobs"] <= 21
    for look in (
        lambda: status.batch(runtime, None, batch_id),
        lambda: status.jobs(runtime, "alice", batch_id),
        lambda: status.job(runtime, None, gone),
        lambda: results.stream(runtime, "alice", batch_id),
        lambda: batches.retry(runtime, "alice", batch_id, None),
        lambda: batches.cancel(runtime, "alice", batch_id),
        lambda: batches.delete(runtime, "alice", batch_id),
    ):
        with pytest.raises(NotFound):
            look()
    assert [each.id for each in status.batches(runtime, "alice", None, 10).items] == [kept_id]


def test_the_sweep_of_any_worker_removes_what_is_left(runtime: Runtime, make_runtime: MakeRuntime) -> None:
    batches.delete(runtime, "alice", finished(runtime, LARGE))
    sweep(make_runtime())
    assert left(runtime) == {"purged_batches": 1}


def test_a_removal_that_breaks_off_before_its_first_chunk_is_carried_through_by_the_sweep(runtime: Runtime) -> None:
    batch_id = finished(runtime, 3)
    with pytest.raises(Exception, match="the test says so"):
        batches.delete(interposed(runtime, before={2: database_is_away}), "alice", batch_id)
    assert left(runtime)["jobs"] == 3
    sweep(runtime)
    assert left(runtime) == {"purged_batches": 1}


def test_no_transaction_removes_more_than_a_chunk_and_prompts_never_outlive_their_jobs(runtime: Runtime) -> None:
    batch_id = finished(runtime, 2 * removal.CHUNK + 1)
    batches.delete(runtime, "alice", batch_id)
    seen = left(runtime)
    assert (seen["jobs"], seen["job_inputs"]) == (removal.CHUNK + 1, removal.CHUNK + 1)
    assert sweep_until_idle(runtime) == 2


def test_two_workers_that_remove_the_same_batch_do_not_get_in_each_others_way(
    runtime: Runtime, make_runtime: MakeRuntime
) -> None:
    batch_id = finished(runtime, 2 * removal.CHUNK)
    batches.delete(runtime, "alice", batch_id)
    side_by_side(*[lambda worker=worker: sweep_until_idle(worker) for worker in (runtime, make_runtime())])
    sweep_until_idle(runtime)
    assert left(runtime) == {"purged_batches": 1}


def test_the_idempotency_key_of_a_removed_batch_is_free_at_once(runtime: Runtime) -> None:
    new = NewBatch(owner="alice", idempotency_key="k", request_sha256="0" * 64)
    jobs = [NewJob(f"job-{number}", "x", {}) for number in range(LARGE)]
    first = creation.create(runtime, new, jobs)
    batches.cancel(runtime, "alice", first.batch.id)
    batches.delete(runtime, "alice", first.batch.id)
    second = creation.create(runtime, new, jobs[:1])
    assert (second.is_replay, second.batch.id != first.batch.id) == (False, True)


def test_a_callback_for_a_batch_that_is_being_removed_is_refused_as_for_a_removed_one(runtime: Runtime) -> None:
    batch_id = submit(runtime, *["x"] * LARGE)
    claimed = take(runtime, LARGE)
    batches.cancel(runtime, "alice", batch_id)
    batches.delete(runtime, "alice", batch_id)
    assert set(deliver_together(runtime, *[(each.submission, success("x")) for each in claimed])) == {None}
    with pytest.raises(NotFound):
        deliver(runtime, claimed[0].submission, success("x"))
    assert inbox_rows(runtime) == []
    record(runtime, claimed[-1], Accepted("task-1", 200))
    sweep(runtime)
    assert left(runtime) == {"purged_batches": 1}


# --- by age ---


def test_batches_are_kept_for_ever_by_default(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = finished(runtime)
    clock.tick(3650 * DAY)
    sweep(runtime)
    assert batch(runtime, batch_id).status == "completed"


def test_a_batch_is_removed_when_it_has_been_finished_for_as_long_as_it_is_kept(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    runtime = make_runtime(retention_days=30)
    old_id = finished(runtime)
    clock.tick(DAY)
    young_id = finished(runtime)
    clock.tick(29 * DAY - 1)
    sweep(runtime)
    assert batch(runtime, old_id).status == "completed"
    clock.tick(1)
    sweep(runtime)
    with pytest.raises(NotFound):
        batch(runtime, old_id)
    assert batch(runtime, young_id).status == "completed"
    assert left(runtime)["purged_batches"] == 1


def test_after_its_time_nothing_is_left_of_a_batch_but_that_it_existed(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    runtime = make_runtime(retention_days=1)
    submit(runtime, "a")
    submitted = take_one(runtime).submission
    deliver(runtime, submitted, success("x"))
    clock.tick(DAY)
    sweep(runtime)
    assert left(runtime) == {"purged_batches": 1}
    with pytest.raises(NotFound):
        deliver(runtime, submitted, success("y"))
    with runtime.database.reading() as connection:
        events = connection.execute(select(audit_events.c.actor, audit_events.c.action)).all()
    assert [tuple(row) for row in events] == [("retention", "batch.delete")]


def test_an_open_batch_is_never_too_old(make_runtime: MakeRuntime, clock: FrozenDateTimeFactory) -> None:
    runtime = make_runtime(retention_days=1, batch_expires_seconds=30.0 * DAY)
    batch_id = submit(runtime, "a")
    clock.tick(20 * DAY)
    sweep(runtime)
    assert batch(runtime, batch_id).status == "in_progress"


def test_a_batch_that_is_opened_again_just_before_it_would_go_stays(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    runtime = make_runtime(retention_days=1)
    batch_id = submit(runtime, "a")
    batches.cancel(runtime, "alice", batch_id)
    clock.tick(DAY)
    raced = interposed(runtime, before={1: lambda: batches.retry(runtime, "alice", batch_id, None)})
    removal.retire(raced)
    assert batch(runtime, batch_id).status == "in_progress"


def test_many_old_batches_go_some_at_a_time(make_runtime: MakeRuntime, clock: FrozenDateTimeFactory) -> None:
    runtime = make_runtime(retention_days=1)
    for _ in range(12):
        finished(runtime)
    clock.tick(DAY)
    assert removal.retire(runtime)
    assert left(runtime)["purged_batches"] == 10
    assert not removal.retire(runtime)
    sweep(runtime)
    sweep(runtime)
    assert left(runtime) == {"purged_batches": 12}
