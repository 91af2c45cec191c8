"""Invariants: each names the one row that was broken, and says nothing of a history in which nothing was."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from freezegun.api import FrozenDateTimeFactory
from sqlalchemy import Table, Uuid, delete, select, update
from sqlalchemy.sql.dml import UpdateBase

from app.clock import now
from app.db import Connection, Database
from app.ids import show
from app.models import (
    attempts,
    batches,
    callbacks,
    job_inputs,
    job_results,
    jobs,
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
)
from app.providers.base import Accepted, Unknown
from app.runtime import Runtime
from app.services import creation, doctor, matching, orphans, quarantine
from app.services.audit import By
from app.services.views import NewBatch, NewJob
from app.store import invariants
from app.store.invariants import Scope
from tests.conftest import MakeRuntime
from tests.factories import batch, deliver, record, sweep, take, take_one
from tests.fakes import failure, success
from tests.webhooks import register

Named = Mapping[str, UUID]

HOUR = timedelta(hours=1)
TWO_SWEEPS = timedelta(seconds=10)


@pytest.fixture(autouse=True)
def sound() -> None:
    """These histories are broken on purpose; that they were whole before is tested here."""


@pytest.fixture
def runtime(make_runtime: MakeRuntime) -> Runtime:
    return make_runtime(unauthenticated_callbacks="quarantine")


@pytest.fixture
def named(runtime: Runtime, clock: FrozenDateTimeFactory) -> Named:
    """A batch that is over and one that isn't, with a job in each state a worker can leave it in; ids by name.

    `twice` has the attempts `twice/1`, timed out, and `twice/2`, which answered; the other attempts are `.../1`. The
    answer of `matched` came without a token.
    """
    found = {"endpoint": register(runtime)}
    found |= {"over": create(runtime, "completed", "failed", "twice")}
    for claimed in take(runtime):
        bodies = {"completed": success("yes"), "failed": failure("9")}
        if claimed.submission.text_data in bodies:
            deliver(runtime, claimed.submission, bodies[claimed.submission.text_data])
        else:
            record(runtime, claimed, Accepted("task-1", 200))
    clock.tick(60)
    sweep(runtime)
    clock.tick(10)
    again = take_one(runtime)
    record(runtime, again, Accepted("task-2", 200))
    deliver(runtime, again.submission, success("at last"))
    found["open"] = create(runtime, "waiting", "unknown", "submitting", "matched", "queued")
    waiting, unknown, _, matched = take(runtime, 4)
    record(runtime, waiting, Accepted("task-3", 200))
    record(runtime, unknown, Unknown("time_out", "no answer", None))
    match_by_hand(runtime, matched.job_id)
    assert batch(runtime, found["over"]).finalized_at is not None
    return found | ids_of_rows(runtime)


def create(runtime: Runtime, *names: str) -> UUID:
    lines = [NewJob(name, name, {}) for name in names]
    return creation.create(runtime, NewBatch(owner="alice"), lines).batch.id


def match_by_hand(runtime: Runtime, job_id: UUID) -> None:
    """An operator finds the answer of this job among those that came without a token."""
    quarantine.keep(runtime, success("told without a token", metadata=show("job", job_id)))
    (orphan,) = orphans.listing(runtime).items
    matching.match(runtime, orphan.id, job_id, by=By("tests", "compared"))


def ids_of_rows(runtime: Runtime) -> Named:
    with runtime.database.reading() as connection:
        found = {row.custom_id: row.id for row in connection.execute(select(jobs))}
        job_of = {job_id: name for name, job_id in found.items()}
        found |= {f"{job_of[row.job_id]}/{row.number}": row.id for row in connection.execute(select(attempts))}
        found["end of over"] = connection.execute(select(webhook_events.c.id)).scalar_one()
        found["way of the end"] = connection.execute(select(webhook_deliveries.c.id)).scalar_one()
        return found | {f"body of {job_of[row.job_id]}": row.id for row in connection.execute(select(callbacks))}


@contextmanager
def unguarded(database: Database) -> Iterator[Connection]:
    """A transaction in which no constraint stands in the way; nothing of it stays."""
    with database.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        if database.is_sqlite:
            driver.execute("PRAGMA foreign_keys=OFF")
        with connection.begin() as transaction:
            for statement in _disarming(connection):
                connection.exec_driver_sql(statement)
            yield connection
            transaction.rollback()


def _disarming(connection: Connection) -> Sequence[str]:
    if connection.dialect.name == "sqlite":
        copied = "CREATE TABLE bare AS SELECT * FROM {0}", "DROP TABLE {0}", "ALTER TABLE bare RENAME TO {0}"
        return [each.format(table.name) for table in (jobs, attempts, callbacks) for each in copied]
    listed = "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE conname ~ '^(fk|ck|uq)_'"
    rows = connection.exec_driver_sql(listed).all()
    return ["DROP INDEX uq_attempts_open", *(f"ALTER TABLE {table} DROP CONSTRAINT {name}" for table, name in rows)]


def violated(runtime: Runtime, *broken: UpdateBase) -> Mapping[str, list[UUID]]:
    """What each invariant has to say after these statements; those that are silent are left out."""
    with unguarded(runtime.database) as connection:
        for statement in broken:
            assert connection.execute(statement).rowcount > 0, statement
        scope = Scope(tuple(connection.execute(select(batches.c.id)).scalars()), now() - TWO_SWEEPS)
        found = {each.name: invariants.violations(connection, each, scope, 20) for each in invariants.ALL}
    return {name: [row.id for row in rows] for name, rows in found.items() if rows}


def change(table: Table, row: str, **values: object) -> "Change":
    return Change(table, row, values)


class Change:
    """An UPDATE of the row of this name, whose values may be names of rows too; without values, a DELETE."""

    def __init__(self, table: Table, row: str, values: Mapping[str, object]) -> None:
        self._table, self._row, self._values = table, row, values

    def statement(self, named: Named) -> UpdateBase:
        key = self._table.c.job_id if self._table in (job_results, job_inputs) else self._table.c.id
        if not self._values:
            return delete(self._table).where(key == named[self._row])
        values = {name: self._told(name, value, named) for name, value in self._values.items()}
        return update(self._table).where(key == named[self._row]).values(values)

    def _told(self, name: str, value: object, named: Named) -> object:
        if isinstance(value, timedelta):
            return now() + value
        return named.get(str(value), value) if isinstance(self._table.c[name].type, Uuid) else value


BREAKS = [
    ("jobs_are_all_there", "over", [change(jobs, "completed")]),
    ("jobs_are_all_there", "over", [change(jobs, "failed", position=3)]),
    ("jobs_are_all_there", "over", [change(jobs, "failed", position=0)]),
    ("jobs_are_all_there", "over", [change(jobs, "failed", position=-1)]),
    ("jobs_are_all_there", "over", [change(jobs, "failed", custom_id="completed")]),
    ("batches_end", "over", [change(batches, "over", finalized_at=None), change(jobs, "twice", finished_at=-HOUR)]),
    ("batches_end", "over", [change(jobs, "failed", state="queued")]),
    ("batches_end", "open", [change(batches, "open", expires_at=-HOUR)]),
    ("batches_end", "open", [change(batches, "open", cancel_requested_at=-HOUR)]),
    ("ends_are_told", "over", [change(webhook_events, "end of over")]),
    ("ends_are_told", "over", [change(webhook_events, "end of over", round=2)]),
    ("ends_are_told", "over", [change(webhook_events, "end of over", type="batch.progress")]),
    ("ends_are_told", "over", [change(batches, "over", finalized_at=None)]),
    ("listeners_are_told", "end of over", [change(webhook_deliveries, "way of the end")]),
    ("listeners_are_told", "end of over", [change(webhook_deliveries, "way of the end", event_id=uuid4())]),
    ("listeners_are_told", "end of over", [change(webhook_deliveries, "way of the end", endpoint_id=uuid4())]),
    ("figures_are_right", "over", [change(jobs, "completed", state="cancelled")]),
    ("figures_are_right", "over", [change(attempts, "twice/1", state="refused")]),
    ("figures_are_right", "over", [change(attempts, "twice/1", cost_nano=3_000_000_000)]),
    ("figures_are_right", "over", [change(callbacks, "body of completed", times=4)]),
    ("figures_are_right", "over", [change(callbacks, "body of completed", outcome="late")]),
    ("callbacks_fit", "body of completed", [change(callbacks, "body of completed", outcome="lost")]),
    ("callbacks_fit", "body of completed", [change(callbacks, "body of completed", times=0)]),
    ("callbacks_fit", "body of completed", [change(callbacks, "body of completed", outcome="orphan")]),
    ("callbacks_fit", "body of completed", [change(callbacks, "body of completed", attempt_id=uuid4())]),
    ("callbacks_fit", "body of completed", [change(callbacks, "body of completed", attempt_id="failed/1")]),
    ("callbacks_fit", "body of completed", [change(callbacks, "body of completed", job_id=None)]),
    ("callbacks_fit", "body of completed", [change(callbacks, "body of completed", batch_id="open")]),
    ("callbacks_fit", "body of completed", [change(callbacks, "body of completed", attempt_id=None)]),
    ("callbacks_fit", "body of matched", [change(callbacks, "body of matched", outcome="orphan")]),
    ("callbacks_fit", "body of matched", [change(callbacks, "body of matched", job_id="failed", batch_id="over")]),
    ("callbacks_fit", "body of matched", [change(callbacks, "body of matched", job_id=None)]),
    ("callbacks_fit", "body of matched", [change(callbacks, "body of matched", batch_id="over")]),
    ("callbacks_fit", "body of matched", [change(job_results, "matched", callback_id="body of completed")]),
    ("jobs_are_whole", "waiting", [change(jobs, "waiting", state="lost")]),
    ("jobs_are_whole", "queued", [change(jobs, "queued", due_at=None)]),
    ("jobs_are_whole", "failed", [change(jobs, "failed", due_at=HOUR)]),
    ("jobs_are_whole", "failed", [change(jobs, "failed", finished_at=None)]),
    ("jobs_are_whole", "waiting", [change(jobs, "waiting", finished_at=HOUR)]),
    ("jobs_are_whole", "queued", [change(job_inputs, "queued")]),
    ("one_open_attempt", "twice", [change(attempts, f"twice/{n}", state="waiting") for n in (1, 2)]),
    ("current_attempt_fits", "waiting", [change(attempts, "waiting/1", state="timed_out")]),
    ("current_attempt_fits", "waiting", [change(attempts, "waiting/1", state="lost")]),
    ("current_attempt_fits", "waiting", [change(jobs, "waiting", current_attempt_id=None)]),
    ("current_attempt_fits", "queued", [change(jobs, "queued", current_attempt_id=uuid4())]),
    ("current_attempt_fits", "submitting", [change(jobs, "submitting", current_attempt_id="waiting/1")]),
    ("current_attempt_fits", "submitting", [change(attempts, "submitting/1", state="unknown")]),
    ("current_attempt_fits", "failed", [change(attempts, "failed/1", state="waiting")]),
    ("past_attempts_fit", "twice/1", [change(attempts, "twice/1", state="unknown")]),
    ("past_attempts_fit", "twice/1", [change(attempts, "twice/1", state="superseded")]),
    ("attempts_are_counted", "twice", [change(attempts, "twice/1", number=3)]),
    ("attempts_are_counted", "twice", [change(attempts, "twice/1")]),
    ("attempts_are_counted", "twice", [change(attempts, "twice/1", state="refused")]),
    ("attempts_are_counted", "queued", [change(jobs, "queued", last_number=1)]),
    ("attempts_are_counted", "failed", [change(jobs, "failed", attempts=2)]),
    ("attempts_are_counted", "failed", [change(jobs, "failed", max_attempts=0)]),
    ("failed_for_a_reason", "failed", [change(jobs, "failed", error_code=None)]),
    ("failed_for_a_reason", "failed", [change(jobs, "failed", error_code="timed_out")]),
    ("failed_for_a_reason", "failed", [change(attempts, "failed/1", state="timed_out")]),
    ("failed_for_a_reason", "failed", [change(attempts, "failed/1", is_permanent=False)]),
    ("alarms_are_seen_to", "waiting", [change(jobs, "waiting", due_at=timedelta(seconds=-11))]),
    ("alarms_are_seen_to", "submitting", [change(jobs, "submitting", due_at=timedelta(seconds=-11))]),
    ("times_are_in_order", "failed", [change(jobs, "failed", finished_at=-HOUR)]),
    ("times_are_in_order", "failed", [change(attempts, "failed/1", created_at=-HOUR)]),
    ("times_are_in_order", "twice", [change(attempts, "twice/2", sent_at=-HOUR)]),
    ("times_are_in_order", "twice", [change(attempts, "twice/2", acked_at=-HOUR)]),
    ("times_are_in_order", "twice", [change(attempts, "twice/2", finished_at=-HOUR)]),
    ("completed_has_one_result", "completed", [change(job_results, "completed")]),
    ("completed_has_one_result", "completed", [change(jobs, "completed", state="failed")]),
    ("completed_has_one_result", "twice", [change(attempts, "twice/1", state="completed")]),
    ("completed_has_one_result", "twice", [change(attempts, "twice/2", state="timed_out")]),
    ("completed_has_one_result", "twice", [change(job_results, "twice", attempt_id="twice/1")]),
    ("results_have_their_source", "completed", [change(job_results, "completed", source_sha256="0" * 64)]),
    ("results_have_their_source", "completed", [change(job_results, "completed", source="hearsay")]),
    ("results_have_their_source", "completed", [change(callbacks, "body of completed")]),
    ("results_have_their_source", "completed", [change(callbacks, "body of completed", job_id="failed")]),
    ("results_have_their_source", "completed", [change(callbacks, "body of completed", attempt_id=None)]),
    ("results_have_their_source", "completed", [change(callbacks, "body of completed", outcome="orphan", job_id=None)]),
    ("results_have_their_source", "matched", [change(job_results, "matched", source="callback")]),
    ("results_have_their_source", "matched", [change(job_results, "matched", source_sha256="0" * 64)]),
    ("results_have_their_source", "matched", [change(job_results, "matched", callback_id=uuid4())]),
    ("results_have_their_source", "matched", [change(callbacks, "body of matched", job_id="failed")]),
    ("results_have_their_source", "matched", [change(callbacks, "body of matched")]),
]


@pytest.mark.parametrize(
    ("name", "row", "broken"), BREAKS, ids=[f"{number}-{name}" for number, (name, _, _) in enumerate(BREAKS)]
)
def test_an_invariant_names_the_row_that_breaks_it(
    runtime: Runtime, named: Named, name: str, row: str, broken: Sequence[Change]
) -> None:
    assert violated(runtime, *(each.statement(named) for each in broken))[name] == [named[row]]


def test_every_invariant_is_broken_once_here() -> None:
    assert {name for name, _, _ in BREAKS} == {invariant.name for invariant in invariants.ALL}


FITTING = [
    change(jobs, "waiting", due_at=-TWO_SWEEPS),
    change(attempts, "twice/2", sent_at=timedelta(seconds=-1)),
    change(batches, "open", cancel_requested_at=-TWO_SWEEPS),
]


@pytest.mark.parametrize("allowed", FITTING, ids=["two_sweeps", "clocks", "cancelling"])
def test_what_is_only_just_in_time_breaks_nothing(runtime: Runtime, named: Named, allowed: Change) -> None:
    assert violated(runtime, allowed.statement(named)) == {}


NOBODY = [
    {"owner": "bob"},
    {"event_types": ["batch.progress", "batch.failed"]},
    {"of_named_batches": True},
    {"disabled_at": timedelta(0)},
    {"removed_at": timedelta(0)},
    {"updated_at": timedelta(seconds=-60)},  # it happened just now
]


@pytest.mark.parametrize("changed", NOBODY, ids=lambda changed: next(iter(changed)))
def test_whoever_did_not_listen_need_not_be_told(runtime: Runtime, named: Named, changed: Mapping[str, object]) -> None:
    broken = [change(webhook_deliveries, "way of the end"), change(webhook_endpoints, "endpoint", **changed)]
    assert violated(runtime, *(each.statement(named) for each in broken)) == {}


def test_an_endpoint_that_a_batch_names_listens_for_that_batch(runtime: Runtime, named: Named) -> None:
    changes = [
        change(webhook_deliveries, "way of the end"),
        change(webhook_endpoints, "endpoint", of_named_batches=True),
        change(batches, "over", webhook_endpoint_id="endpoint"),
    ]
    found = violated(runtime, *(each.statement(named) for each in changes))
    assert found == {"listeners_are_told": [named["end of over"]]}


def test_a_history_in_which_nothing_broke_breaks_no_invariant(runtime: Runtime, named: Named) -> None:
    assert violated(runtime) == {}
    assert [each.violations for each in doctor.examine(runtime, with_bodies=True)] == [()] * (
        len(invariants.ALL) + len(doctor.OF_BODIES)
    )
