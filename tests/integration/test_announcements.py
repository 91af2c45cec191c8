"""Announcements: each end of a batch is in the outbox once, whichever way it ended; the rest if somebody listens."""

from decimal import Decimal
from functools import partial
from uuid import UUID

import pytest
from freezegun.api import FrozenDateTimeFactory
from sqlalchemy import select

from app.db import Connection
from app.errors import DatabaseUnavailable, InvalidInput, Problem
from app.models import webhook_events
from app.providers.base import Rejected
from app.runtime import Runtime
from app.services import batches, budgets, creation, endpointchanges, endpoints, finalizing, pausing, sweeps
from app.services.endpointchanges import Changes
from app.services.views import NewBatch, NewJob
from app.states import EventType as Type
from app.store import events
from tests.conftest import MakeRuntime
from tests.factories import (
    batch,
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
from tests.fakes import failure, success
from tests.webhooks import URL, on_their_way, outbox, register, send_due


def over(runtime: Runtime) -> UUID:
    """A batch that has completed."""
    batch_id = submit(runtime, "a")
    deliver(runtime, take_one(runtime).submission, success("x"))
    return batch_id


# --- every end ---


def test_a_completed_batch_is_told_of(runtime: Runtime) -> None:
    assert outbox(runtime, over(runtime)) == ["batch.completed"]


def test_a_batch_that_a_refused_submit_ends_is_told_of(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    record(runtime, take_one(runtime), Rejected("http_400", "no", 400))
    assert outbox(runtime, batch_id) == ["batch.completed"]


def test_an_expired_batch_is_told_of(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(runtime, "a", expires_in_seconds=10)
    clock.tick(10)
    sweep(runtime)
    assert outbox(runtime, batch_id) == ["batch.expired"]


def test_a_cancelled_batch_is_told_of(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    batches.cancel(runtime, "alice", batch_id)
    assert outbox(runtime, batch_id) == ["batch.cancelled"]


def test_a_batch_that_failed_before_it_began_is_told_of(runtime: Runtime) -> None:
    register(runtime)
    refused = creation.refuse(runtime, NewBatch("alice"), InvalidInput([Problem("no")]))
    assert outbox(runtime, refused.batch.id) == ["batch.failed"]
    assert len(on_their_way(runtime)) == 1


def test_a_batch_in_which_nothing_can_be_submitted_is_told_of(runtime: Runtime) -> None:
    created = creation.create(runtime, NewBatch("alice"), [NewJob("a", "", {}, fault=Problem("no"))])
    assert outbox(runtime, created.batch.id) == ["batch.completed"]


def test_an_open_batch_is_not_told_of(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a", "b")
    first, _ = take(runtime)
    deliver(runtime, first.submission, success("x"))
    sweep(runtime)
    assert outbox(runtime, batch_id) == []


# --- once ---


def test_two_finalizers_at_once_tell_of_an_end_once(runtime: Runtime, make_runtime: MakeRuntime) -> None:
    register(runtime)
    other = make_runtime()
    for _ in range(10):
        batch_id = submit(runtime, "a")
        # What ends the batch dies before it finalizes it, and two find that.
        deliver(interposed(runtime, before={2: database_is_away}), take_one(runtime).submission, success("x"))
        finalize = partial(finalizing.finalize, batch_ids=[batch_id])
        side_by_side(*(partial(finalize, by) for by in (runtime, other, runtime)))
        assert outbox(runtime, batch_id) == ["batch.completed"]
    assert len(on_their_way(runtime)) == 10


def test_an_end_whose_commit_fails_is_neither_an_end_nor_told_of_until_the_sweep_makes_it_both(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    register(runtime)
    batch_id = submit(runtime, "a")
    deliver(interposed(runtime, before={2: database_is_away}), take_one(runtime).submission, success("x"))
    with pytest.raises(DatabaseUnavailable, match="the test says so"):
        finalizing.finalize(interposed(runtime, before_commit=database_is_away), [batch_id])
    assert (batch(runtime, batch_id).finalized_at, outbox(runtime), on_their_way(runtime)) == (None, [], [])
    clock.tick(5)
    sweep(runtime)
    sweep(runtime)
    assert batch(runtime, batch_id).finalized_at is not None
    assert (outbox(runtime), len(on_their_way(runtime))) == (["batch.completed"], 1)


def test_a_batch_that_is_tried_again_ends_again_and_is_told_of_again(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a", max_attempts=1)
    deliver(runtime, take_one(runtime).submission, failure("9"))
    for _ in range(2):
        clock.tick(60)
        batches.retry(runtime, "alice", batch_id, None)
        deliver(runtime, take_one(runtime).submission, failure("9"))
    assert outbox(runtime, batch_id) == ["batch.completed"] * 3


def test_a_batch_that_ends_while_it_is_tried_again_in_chunks_is_told_of_for_each_end(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    runtime = make_runtime(max_in_flight=500)

    def fail_all() -> None:
        deliver_together(runtime, *((claimed.submission, failure("9")) for claimed in take(runtime, 500)))

    batch_id = submit(runtime, *["x"] * 150, max_attempts=1)
    fail_all()
    clock.tick(60)
    batches.retry(interposed(runtime, after={1: fail_all}), "alice", batch_id, None)
    assert (outbox(runtime, batch_id), batch(runtime, batch_id).finalized_at) == (["batch.completed"] * 2, None)
    fail_all()
    assert outbox(runtime, batch_id) == ["batch.completed"] * 3


def test_a_worker_that_starts_tells_of_ends_that_nobody_told_of(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    register(runtime)
    told, untold = over(runtime), over(runtime)
    expired = submit(runtime, "late", expires_in_seconds=10)
    clock.tick(10)
    sweep(runtime)
    with runtime.database.transaction() as connection:
        events.remove(connection, ids_of_events(connection, untold, expired))
    clock.tick(3600)
    for _ in range(2):
        sweeps.begin(runtime)
    assert [outbox(runtime, each) for each in (told, untold, expired)] == [
        ["batch.completed"],
        ["batch.completed"],
        ["batch.expired"],
    ]
    assert len(on_their_way(runtime)) == 3


def ids_of_events(connection: Connection, *batch_ids: UUID) -> list[UUID]:
    chosen = select(webhook_events.c.id).where(webhook_events.c.batch_id.in_(batch_ids))
    return list(connection.execute(chosen).scalars())


# --- to whom ---


def test_an_end_goes_to_each_endpoint_of_its_owner_that_hears_of_it(runtime: Runtime) -> None:
    first, second = register(runtime), register(runtime, URL + "/2", Type.COMPLETED, Type.PAUSED)
    register(runtime, URL + "/3", Type.FAILED)
    register(runtime, owner="mallory")
    disabled, removed = register(runtime, URL + "/4"), register(runtime, URL + "/5")
    endpointchanges.change(runtime, "alice", disabled, Changes(is_enabled=False))
    endpointchanges.remove(runtime, "alice", removed)
    over(runtime)
    assert {row.endpoint_id for row in on_their_way(runtime)} == {first, second}


def named(runtime: Runtime, url: str) -> UUID:
    """A batch that names this URL and has completed."""
    created = creation.create(runtime, NewBatch("alice", webhook_url=url), [NewJob("a", "a", {})])
    deliver(runtime, take_one(runtime).submission, success("x"))
    return created.batch.id


def test_a_url_that_a_batch_names_hears_of_that_batch_alone(runtime: Runtime) -> None:
    batch_id = named(runtime, URL)
    over(runtime)
    (row,) = on_their_way(runtime)
    assert row.endpoint_id == batch(runtime, batch_id).webhook_id


def test_the_same_url_in_several_batches_is_one_endpoint_with_one_secret(runtime: Runtime) -> None:
    ids = {batch(runtime, named(runtime, URL)).webhook_id for _ in range(3)}
    assert len(ids) == 1
    assert [view.of_named_batches for view in endpoints.listing(runtime, "alice", None, 10).items] == [True]


def test_the_same_url_in_two_batches_at_once_is_one_endpoint(runtime: Runtime, make_runtime: MakeRuntime) -> None:
    other = make_runtime()
    found = side_by_side(*(partial(endpoints.named, by, "alice", URL) for by in (runtime, other)))
    assert len(set(found)) == 1


def test_a_url_that_is_registered_hears_of_a_batch_that_names_it_once(runtime: Runtime) -> None:
    endpoint_id = register(runtime)
    assert batch(runtime, named(runtime, URL)).webhook_id == endpoint_id
    assert len(on_their_way(runtime)) == 1


def test_a_batch_that_names_where_nothing_may_be_sent_is_refused(runtime: Runtime) -> None:
    with pytest.raises(InvalidInput) as refused:
        creation.create(runtime, NewBatch("alice", webhook_url="https://10.0.0.1/"), [NewJob("a", "a", {})])
    assert [each.pointer for each in refused.value.problems] == ["/webhook_url"]


# --- what is told of only if somebody wants to hear it ---


@pytest.fixture
def listening(runtime: Runtime) -> Runtime:
    """A runtime with an endpoint that hears of everything."""
    register(runtime, URL, *Type)
    return runtime


def test_what_nobody_wants_to_hear_is_not_kept(runtime: Runtime) -> None:
    register(runtime)
    batch_id = submit(runtime, "a", "b")
    pausing.pause(runtime, "alice", batch_id, "lunch")
    pausing.resume(runtime, "alice", batch_id)
    first, _ = take(runtime)
    deliver(runtime, first.submission, failure("9"))
    sweep(runtime)
    assert outbox(runtime) == []


def test_a_quarter_a_half_and_three_quarters_are_told_of_once_each(listening: Runtime) -> None:
    batch_id = submit(listening, *"abcdefgh")
    for claimed in take(listening):
        deliver(listening, claimed.submission, success("x"))
        sweep(listening)
        sweep(listening)
    assert outbox(listening, batch_id) == ["batch.progress"] * 3 + ["batch.completed"]


def test_of_several_that_are_reached_at_once_the_highest_is_told_of(listening: Runtime) -> None:
    batch_id = submit(listening, *"abcd")
    for claimed in take(listening)[:3]:
        deliver(listening, claimed.submission, success("x"))
    sweep(listening)
    assert outbox(listening, batch_id) == ["batch.progress"]


def test_the_first_failure_is_told_of_and_no_other(listening: Runtime) -> None:
    batch_id = submit(listening, *"abcdefghi")
    for claimed in take(listening)[:2]:
        deliver(listening, claimed.submission, failure("9"))
        sweep(listening)
    assert outbox(listening, batch_id) == ["batch.first_failure"]


def test_an_answer_after_the_end_revises_the_batch(listening: Runtime) -> None:
    batch_id = submit(listening, "a", "b")
    first, second = take(listening)
    deliver(listening, first.submission, success("x"))
    deliver(listening, second.submission, failure("9"))
    sweep(listening)
    told = ["batch.first_failure", "batch.completed"]
    assert outbox(listening, batch_id) == told
    deliver(listening, second.submission, success("late"))
    sweep(listening)
    sweep(listening)
    assert outbox(listening, batch_id) == [*told, "batch.revised"]


def test_what_changes_nothing_after_the_end_revises_nothing(listening: Runtime) -> None:
    batch_id = submit(listening, "a")
    claimed = take_one(listening)
    deliver(listening, claimed.submission, success("x"))
    deliver(listening, claimed.submission, success("again"))
    sweep(listening)
    assert outbox(listening, batch_id) == ["batch.completed"]


def test_a_pause_is_told_of_and_its_new_words_are_not(listening: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(listening, "a")
    pausing.pause(listening, "alice", batch_id, "lunch")
    pausing.pause(listening, "alice", batch_id, "a long lunch")
    assert outbox(listening, batch_id) == ["batch.paused"]
    clock.tick(1)
    pausing.resume(listening, "alice", batch_id)
    pausing.pause(listening, "alice", batch_id, "supper")
    assert outbox(listening, batch_id) == ["batch.paused"] * 2


def test_a_spent_budget_is_told_of(listening: Runtime) -> None:
    new = NewBatch("alice", budget=Decimal("0.0001"))
    batch_id = creation.create(listening, new, [NewJob(name, name, {}) for name in "abcde"]).batch.id
    claimed = take(listening, 1)[0]
    deliver(listening, claimed.submission, success("x", charge="0.0002"))
    budgets.enforce(listening, [batch_id])
    assert outbox(listening, batch_id) == ["batch.paused"]


# --- for how long it is kept ---


def test_what_was_told_of_a_batch_goes_with_it_but_not_before_it_is_told(runtime: Runtime) -> None:
    register(runtime)
    batch_id = over(runtime)
    batches.delete(runtime, "alice", batch_id)
    sweep(runtime)
    assert outbox(runtime) == ["batch.completed"], "it is still on its way"
    assert send_due(runtime) == 1
    sweep(runtime)
    assert (outbox(runtime), on_their_way(runtime)) == ([], [])
