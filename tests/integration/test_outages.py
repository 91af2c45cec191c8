"""A database that is there but keeps nothing: a standby, a server that is too slow, a file that can't be written."""

import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

from app.db import Database
from app.errors import DatabaseUnavailable
from app.providers.base import Accepted, Submission
from app.runtime import Runtime
from tests.factories import attempt_states, drain, inbox_rows, job, states, submit, take_one, token_of
from tests.fakes import FakeProvider, success
from tests.integration.rest import Rest, jobs

CANARY = "canary-in-the-coal-mine"


@contextmanager
def read_only(database: Database) -> Iterator[None]:
    """Every transaction that begins meanwhile is refused its writes, as on a standby or on a full disk."""

    def forbid(connection: Any, *_: object) -> None:
        _set_read_only(database, connection, is_read_only=True)

    def allow(connection: Any, *_: object) -> None:
        _set_read_only(database, connection, is_read_only=False)

    event.listen(database.engine, "checkout", forbid)
    event.listen(database.engine, "checkin", allow)
    try:
        yield
    finally:
        event.remove(database.engine, "checkout", forbid)
        event.remove(database.engine, "checkin", allow)


def _set_read_only(database: Database, connection: Any, *, is_read_only: bool) -> None:
    if connection is None:
        return
    if database.is_sqlite:
        connection.execute(f"PRAGMA query_only={'ON' if is_read_only else 'OFF'}")
    else:
        connection.set_read_only(is_read_only)


def assert_told_to_come_again(response: TestResponse) -> None:
    assert response.status_code == 503, response.text
    assert int(response.headers["Retry-After"]) > 0


# --- nothing can be written ---


def test_a_batch_that_cannot_be_kept_is_not_taken(runtime: Runtime, client: FlaskClient, api_key: str) -> None:
    alice = Rest(client, api_key)
    with read_only(runtime.database):
        assert_told_to_come_again(alice.post("/api/batches", {"jobs": jobs("a")}))
        assert alice.get("/api/batches").json == {"items": [], "next_cursor": None}
    assert alice.submit("a")["total"] == 1


def test_a_callback_that_cannot_be_kept_is_not_taken(
    runtime: Runtime, provider: FakeProvider, client: FlaskClient
) -> None:
    batch_id = submit(runtime, "a")
    drain(runtime)
    url = f"/callbacks/hive/{token_of(provider.submissions[0])}"
    with read_only(runtime.database):
        assert_told_to_come_again(client.post(url, data=success()))
    assert (len(inbox_rows(runtime)), states(runtime, batch_id)) == (0, ["waiting"])
    assert client.post(url, data=success()).status_code == 200
    assert states(runtime, batch_id) == ["completed"]


def test_a_process_that_can_keep_nothing_is_not_ready(runtime: Runtime, client: FlaskClient) -> None:
    with read_only(runtime.database):
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json is not None
    assert not response.json["is_ready"]
    assert response.json["reason"].startswith("the database is read-only")
    assert client.get("/readyz").status_code == 200


def test_an_ack_waits_until_it_can_be_written_down(runtime: Runtime, provider: FakeProvider) -> None:
    batch_id = submit(runtime, "a")
    outage = read_only(runtime.database)

    def accept(_: Submission) -> Accepted:
        outage.__enter__()
        threading.Timer(0.3, outage.__exit__, (None, None, None)).start()
        return Accepted("task-of-the-outage", 200)

    provider.script.append(accept)
    drain(runtime)
    found = job(runtime, batch_id)
    assert (attempt_states(found), found.attempts[0].provider_task_id) == (["waiting"], "task-of-the-outage")
    assert len(provider.submissions) == 1


# --- a write that is cut off ---


@contextmanager
def inserts_of_prompts_time_out(database: Database) -> Iterator[None]:
    """The database gives up in the middle of writing prompts."""
    with _interrupted_inserts(database) if database.is_sqlite else _endless_inserts(database):
        yield


@contextmanager
def _interrupted_inserts(database: Database) -> Iterator[None]:
    def interrupt(connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO job_inputs"):
            signs = [1]  # once: the rollback has to get through
            driver = connection.connection.driver_connection
            driver.set_progress_handler(lambda: signs.pop() if signs else 0, 1)

    event.listen(database.engine, "before_cursor_execute", interrupt)
    yield
    event.remove(database.engine, "before_cursor_execute", interrupt)


@contextmanager
def _endless_inserts(database: Database) -> Iterator[None]:
    def hurry(connection: Any) -> None:
        connection.exec_driver_sql("SET LOCAL statement_timeout = '200ms'")

    _run(
        database,
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(10); RETURN NEW; END $$",
        "CREATE TRIGGER dawdle BEFORE INSERT ON job_inputs FOR EACH ROW EXECUTE FUNCTION dawdle()",
    )
    event.listen(database.engine, "begin", hurry)
    try:
        yield
    finally:
        event.remove(database.engine, "begin", hurry)
        _run(database, "DROP TRIGGER dawdle ON job_inputs", "DROP FUNCTION dawdle")


def _run(database: Database, *statements: str) -> None:
    with database.transaction() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def all_texts(error: BaseException | None) -> str:
    """All that a log could show of an error."""
    return "".join(traceback.format_exception(error)) + str(error) + repr(error)


def test_prompts_that_are_written_too_slowly_are_an_outage_and_stay_unsaid(runtime: Runtime) -> None:
    with inserts_of_prompts_time_out(runtime.database), pytest.raises(DatabaseUnavailable) as caught:
        submit(runtime, CANARY)
    assert CANARY not in all_texts(caught.value)
    batch_id = submit(runtime, CANARY)
    assert states(runtime, batch_id) == ["queued"]
    assert take_one(runtime).submission.text_data == CANARY


@pytest.mark.parametrize("send", [Rest.post_lines, lambda rest, lines: rest.post("/api/batches", {"jobs": lines})])
def test_a_submitter_whose_prompts_were_written_too_slowly_may_come_again(
    runtime: Runtime,
    client: FlaskClient,
    api_key: str,
    send: Callable[[Rest, Sequence[Any]], TestResponse],
    caplog: pytest.LogCaptureFixture,
) -> None:
    alice = Rest(client, api_key)
    with inserts_of_prompts_time_out(runtime.database):
        response = send(alice, jobs(CANARY))
    assert_told_to_come_again(response)
    assert CANARY not in response.text + caplog.text
    assert send(alice, jobs(CANARY)).status_code == 201
