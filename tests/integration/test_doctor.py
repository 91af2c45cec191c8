"""The doctor: looks through batches of every size, and at what the service runs on."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory
from sqlalchemy import Update, select, text, update

from app.cli import hivebatch
from app.clock import now
from app.db import Database
from app.ids import show
from app.models import callbacks, job_results, jobs
from app.providers.base import Accepted
from app.runtime import Runtime
from app.services import byhand, doctor, endpointchanges, installation
from app.services.audit import By
from app.services.callbacks import receive
from app.services.claims import Claim
from app.services.endpointchanges import Changes
from app.services.installation import Check
from app.store import holds, invariants, schema
from app.tokens import CallbackSubject
from tests.conftest import MakeRuntime
from tests.factories import deliver, record, submit, sweep, take, take_one
from tests.fakes import FakeOutside, FakeReceivers, failure, success, unrecognised
from tests.webhooks import URL, endpoint, register


def broken(runtime: Runtime, batch_id: UUID | None = None) -> Mapping[str, int]:
    """How many rows break each invariant."""
    found = doctor.examine(runtime, batch_id)
    return {each.name: len(each.violations) for each in found if each.violations}


def shift(runtime: Runtime, custom_id: str, by: timedelta) -> None:
    """Move the alarms of the jobs of this name."""
    with runtime.database.transaction() as connection:
        chosen = (jobs.c.custom_id == custom_id, jobs.c.state.in_(("submitting", "waiting")))
        for row in connection.execute(select(jobs.c.id, jobs.c.due_at).where(*chosen)).all():
            connection.execute(update(jobs).where(jobs.c.id == row.id).values(due_at=row.due_at + by))


# --- rows ---


def test_every_batch_is_looked_at_and_one_can_be_looked_at_alone(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [submit(runtime, *["x"] * 3) for _ in range(7)]
    take(runtime, 21)
    shift(runtime, "job-1", timedelta(days=-1))
    for at_once in ({"_JOBS_AT_ONCE": 2}, {"_JOBS_AT_ONCE": 7}, {"_BATCHES_AT_ONCE": 3}, {"_BATCHES_AT_ONCE": 7}, {}):
        with monkeypatch.context() as patched:
            for name, value in at_once.items():
                patched.setattr(doctor, name, value)
            assert broken(runtime) == {"alarms_are_seen_to": 7}, at_once
            assert broken(runtime, found[3]) == {"alarms_are_seen_to": 1}, at_once


def test_a_job_behind_the_last_position_of_a_large_batch_is_seen_too(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(runtime, *["x"] * 5)
    with runtime.database.transaction() as connection:
        connection.execute(update(jobs).where(jobs.c.position == 4).values(position=1000, attempts=1))
    monkeypatch.setattr(doctor, "_JOBS_AT_ONCE", 2)
    assert broken(runtime) == {"jobs_are_all_there": 1, "attempts_are_counted": 1}
    with runtime.database.transaction() as connection:
        connection.execute(update(jobs).where(jobs.c.position == 1000).values(position=4, attempts=0))


def test_at_most_twenty_rows_are_named_for_each_invariant(runtime: Runtime) -> None:
    for _ in range(3):
        submit(runtime, *["x"] * 9)
    take(runtime)
    with runtime.database.transaction() as connection:
        connection.execute(update(jobs).values(due_at=now() - timedelta(days=1)))
    assert broken(runtime) == {"alarms_are_seen_to": 20}


def test_large_bodies_are_read_a_few_at_a_time_and_each_is(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(runtime, *["x"] * 5)
    for number, claimed in enumerate(take(runtime)):
        deliver(runtime, claimed.submission, success("y" * 1000 * number))
    with runtime.database.transaction() as connection:
        right = connection.execute(select(callbacks.c.id, callbacks.c.body)).all()
        connection.execute(update(callbacks).values(body=b"?" * 2000))
    monkeypatch.setattr(doctor, "_BYTES_AT_ONCE", 4500)
    findings = {each.name: each.violations for each in doctor.examine(runtime, with_bodies=True)}
    assert {row.id for row in findings["bodies_are_as_they_came"]} == {row.id for row in right}
    with runtime.database.transaction() as connection:
        for row in right:
            connection.execute(update(callbacks).where(callbacks.c.id == row.id).values(body=row.body))


def told_otherwise(runtime: Runtime) -> list[str]:
    """Of which jobs the results are not what was sent."""
    findings = {each.name: each.violations for each in doctor.examine(runtime, with_bodies=True)}
    return [show(row.kind, row.id) for row in findings["results_are_what_was_sent"]]


@contextmanager
def forged(database: Database, *statements: Update) -> Iterator[None]:
    """While it lasts, the rows that these update are otherwise than they came."""
    tables = [statement.entity_description["table"] for statement in statements]
    with database.transaction() as connection:
        right = [connection.execute(select(table)).all() for table in tables]
        for statement in statements:
            assert connection.execute(statement).rowcount > 0
    yield
    with database.transaction() as connection:
        for table, rows in zip(tables, right, strict=True):
            (key,) = table.primary_key
            for row in rows:
                values = dict(row._mapping)
                connection.execute(update(table).where(key == values[key.name]).values(values))


@pytest.fixture
def answered(runtime: Runtime) -> Sequence[Claim]:
    """Three jobs with answers."""
    submit(runtime, "a", "b", "c")
    claims = take(runtime)
    for claimed in claims:
        deliver(runtime, claimed.submission, success(f"answer to {claimed.submission.text_data}"))
    return claims


def test_a_result_that_was_rewritten_is_held_against_its_source(runtime: Runtime, answered: Sequence[Claim]) -> None:
    assert told_otherwise(runtime) == []
    second = answered[1].job_id
    with forged(runtime.database, update(job_results).where(job_results.c.job_id == second).values(text="answer to B")):
        assert told_otherwise(runtime) == [show("job", second)]
        assert broken(runtime) == {}  # no row alone tells


def test_a_result_that_an_operator_wrote_is_held_against_what_he_wrote(runtime: Runtime) -> None:
    submit(runtime, "a")
    job_id = take_one(runtime).job_id
    byhand.complete(runtime, job_id, "größer", By("tests", "nobody else knew"))
    assert told_otherwise(runtime) == []
    with forged(runtime.database, update(job_results).values(text="kleiner")):
        assert told_otherwise(runtime) == [show("job", job_id)]


def test_a_source_that_was_rewritten_with_its_hashes_is_found_out_by_the_text(
    runtime: Runtime, answered: Sequence[Claim]
) -> None:
    """Also when it is made to say that the task failed."""
    first = answered[0].job_id
    for body in (success("another"), failure("9"), b"?"):
        sha256 = hashlib.sha256(body).hexdigest()
        with forged(
            runtime.database,
            update(callbacks).where(callbacks.c.job_id == first).values(body=body, sha256=sha256),
            update(job_results).where(job_results.c.job_id == first).values(source_sha256=sha256),
        ):
            assert told_otherwise(runtime) == [show("job", first)], body
            assert broken(runtime) == {}


def test_a_text_that_only_a_later_version_could_read_and_one_that_nobody_can_are_not_called_wrong(
    runtime: Runtime, answered: Sequence[Claim]
) -> None:
    body = unrecognised()
    sha256 = hashlib.sha256(body).hexdigest()
    with forged(
        runtime.database,
        update(callbacks).where(callbacks.c.job_id == answered[0].job_id).values(body=body, sha256=sha256),
        update(callbacks).where(callbacks.c.job_id == answered[1].job_id).values(provider="gone"),
        update(job_results).where(job_results.c.job_id == answered[0].job_id).values(source_sha256=sha256),
        update(job_results).where(job_results.c.job_id == answered[1].job_id).values(text="unheard of"),
    ):
        assert told_otherwise(runtime) == []


# --- what it runs on ---


def seen(runtime: Runtime) -> Mapping[str, Check]:
    return {check.name: check for check in installation.check(runtime)}


def test_an_installation_with_a_worker_is_well(runtime: Runtime) -> None:
    sweep(runtime)
    found = seen(runtime)
    assert [check.name for check in found.values() if not check.is_ok] == []
    assert set(found) == {
        "database",
        "workers",
        "broker",
        "settings",
        "providers",
        "holds",
        "echo",
        "clocks",
        "callbacks",
        "inbox",
        "payments",
        "webhooks",
    }
    assert found["workers"].detail.startswith("1 alive, the last sweep was 0.")


def test_a_worker_that_has_not_swept_for_long_is_told(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    assert seen(runtime)["workers"].detail == "no worker has swept in the last two minutes"
    sweep(runtime)
    clock.tick(20)  # two sweeps of 5 s and a submit time-out of 10 s
    assert seen(runtime)["workers"].is_ok
    clock.tick(1)
    assert seen(runtime)["workers"] == Check("workers", False, "1 alive, the last sweep was 21.0 s ago")


def test_a_worker_that_stands_aside_is_told(runtime: Runtime) -> None:
    sweep(replace(runtime, database_clock=lambda _: now() - timedelta(seconds=3)))
    found = seen(runtime)["workers"]
    assert (found.is_ok, found.detail.endswith("stands aside, its clock is off")) == (False, True)


def test_a_broker_that_is_not_there_is_told(make_runtime: MakeRuntime) -> None:
    found = seen(make_runtime(broker_url="redis://127.0.0.1:9/0"))["broker"]
    assert (found.is_ok, "Connection refused" in found.detail) == (False, True)


def test_settings_that_forbid_submitting_are_told(make_runtime: MakeRuntime) -> None:
    found = seen(make_runtime(hive_url="https://api.example.org"))
    assert (found["settings"].is_ok, found["holds"].is_ok) == (False, True)
    assert found["settings"].detail.startswith("HIVEBATCH_PUBLIC_URL is http://127.0.0.1:8000")


def test_a_hold_that_ends_by_itself_is_listed_and_one_for_a_person_is_told(runtime: Runtime) -> None:
    row = {"scope": "provider", "scope_id": "hive_v2", "message": "slow", "since": now(), "placed_by": "tests"}
    with runtime.database.transaction() as connection:
        holds.place(connection, row | {"reason": "rate_limited", "until": now() + timedelta(hours=1)})
        holds.place(connection, row | {"reason": "silence", "until": None})
    assert seen(runtime)["holds"].is_ok
    with runtime.database.transaction() as connection:
        holds.place(connection, row | {"reason": "key_refused", "until": None})
    found = seen(runtime)["holds"]
    assert (found.is_ok, "key_refused" in found.detail) == (False, True)


def test_an_echo_that_has_not_come_back_is_told_and_one_that_has_with_its_age(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    outside = FakeOutside()
    worker = replace(make_runtime(echo="on"), outside=outside)
    assert seen(worker)["echo"] == Check("echo", False, "hive_v2: none has come back")
    outside.broken = "ConnectionRefusedError"
    sweep(worker)
    found = seen(worker)
    assert found["echo"] == Check("echo", False, "hive_v2: none has come back")
    assert "echo_failed: GET http://127.0.0.1:8000/callbacks/echo/...: Conn" in found["holds"].detail
    outside.broken = None
    clock.tick(1)
    sweep(worker)
    clock.tick(30)
    words = "hive_v2: back from http://127.0.0.1:8000, asked for 30 s ago"
    assert seen(worker)["echo"] == Check("echo", True, words)


def test_where_no_echo_is_asked_for_none_is_missed(runtime: Runtime) -> None:
    assert seen(runtime)["echo"] == Check("echo", True, "not asked for")


def test_a_database_with_another_clock_is_told(runtime: Runtime) -> None:
    with freeze_time(now() - timedelta(seconds=60)):
        found = seen(replace(runtime, database_clock=schema.clock))["clocks"]
    assert found.is_ok is runtime.database.is_sqlite
    if not runtime.database.is_sqlite:
        assert found.detail.startswith("this machine and the database are 60.")


def test_bodies_that_fit_nowhere_are_counted(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(runtime, *["x"] * 3)
    first, second, third = take(runtime)
    record(runtime, first, Accepted("task-1", 200))
    deliver(runtime, first.submission, success(task_id="task-2"))
    for claimed in (second, third):
        deliver(runtime, claimed.submission, b"?")
    token = runtime.signer.sign(CallbackSubject(UUID(int=1), UUID(int=2)))
    receive(runtime, token, success())
    monkeypatch.setattr("app.store.tallies._ROWS_AT_ONCE", 2)
    assert seen(runtime)["inbox"] == Check("inbox", True, "orphan: 1, invalid: 2, conflict: 1")


def test_webhook_endpoints_that_are_disabled_are_listed_with_the_reason(
    runtime: Runtime, receivers: FakeReceivers
) -> None:
    assert seen(runtime)["webhooks"] == Check("webhooks", True, "no endpoint is disabled")
    gone, removed = register(runtime), register(runtime, f"{URL}/removed", owner="bob")
    register(runtime, f"{URL}/well", owner="carol")
    for endpoint_id, owner in ((gone, "alice"), (removed, "bob")):
        endpointchanges.change(runtime, owner, endpoint_id, Changes(is_enabled=False))
    endpointchanges.remove(runtime, "bob", removed)
    told = f"disabled: {show('webhook', gone)} of alice: {endpoint(runtime, gone).disabled_reason}"
    assert seen(runtime)["webhooks"] == Check("webhooks", True, told)


@pytest.fixture
def older(runtime: Runtime) -> Iterator[Runtime]:
    """A runtime on a database that another version left behind."""
    set_revision(runtime.database, "older")
    yield runtime
    set_revision(runtime.database, schema.HEAD)


def set_revision(database: Database, revision: str) -> None:
    with database.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def test_of_a_database_of_another_version_nothing_else_is_said(older: Runtime) -> None:
    assert installation.check(older) == (Check("database", False, f"schema is older, this code needs {schema.HEAD}"),)


# --- the command ---


def run(runtime: Runtime, *arguments: str) -> Result:
    given = {
        "HIVEBATCH_DATABASE_URL": runtime.settings.resolved_database_url,
        "HIVEBATCH_SECRET_KEY": runtime.settings.secret_keys[0],
        "HIVEBATCH_PUBLIC_URL": "http://127.0.0.1:8000",
        "HIVEBATCH_HIVE_URL": "http://127.0.0.1:9",
        "HIVEBATCH_ECHO": "off",
    }
    result = CliRunner(env=given).invoke(hivebatch, ["doctor", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_the_command_is_content_with_a_healthy_installation(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    deliver(runtime, take_one(runtime).submission, success())
    sweep(runtime)
    for arguments in ((), ("--bodies",), ("--batch", show("batch", batch_id))):
        told = run(runtime, *arguments)
        assert (told.exit_code, "BAD" in told.stdout) == (0, False), told.stdout
    lines = run(runtime, "--bodies").stdout.splitlines()
    assert len(lines) == 12 + len(invariants.ALL) + len(doctor.OF_BODIES)
    assert lines[0].startswith("ok    database                    reachable, at 0")


def test_the_command_names_the_row_and_fails(runtime: Runtime) -> None:
    submit(runtime, "a", "b")
    claimed, _ = take(runtime)
    sweep(runtime)
    with runtime.database.transaction() as connection:
        connection.execute(update(jobs).where(jobs.c.id == claimed.job_id).values(due_at=now() - timedelta(days=1)))
    told = run(runtime)
    assert told.exit_code == 1
    assert "\nBAD   alarms_are_seen_to          No lease" in told.stdout
    job = show("job", claimed.job_id)
    assert f"\n        {job}  its lease has ended and nobody took it over\n" in told.stdout
    assert told.stdout.count("BAD") == 1


def test_the_command_tells_a_program_the_same(runtime: Runtime) -> None:
    told = run(runtime, "--json")
    found = json.loads(told.stdout)
    assert (told.exit_code, found["is_well"]) == (1, False)
    assert [check["name"] for check in found["checks"] if not check["is_ok"]] == ["workers"]
    assert [each["name"] for each in found["invariants"]] == [each.name for each in invariants.ALL]


def test_the_command_looks_at_no_rows_of_another_version(older: Runtime) -> None:
    told = run(older)
    assert (told.exit_code, told.stdout.count("\n")) == (1, 1)
    assert told.stdout.startswith("BAD   database")
