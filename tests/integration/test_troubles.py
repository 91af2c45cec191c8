"""Trouble with the database is said plainly, loses nothing that was accepted, and is over when it is over."""

import html
import json
import logging
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, text

from app import create_app
from app.api.front import Front
from app.db import Database
from app.providers.base import Submission
from app.runtime import Runtime, build
from app.services import keys
from app.store import schema
from migrations import runner
from tests.asgi import arriving, call
from tests.conftest import make_settings
from tests.factories import drain, inbox_rows, states, submit, token_of
from tests.fakes import FakeProvider, RecordingDoorbell, success
from tests.integration.conformance import checked_client
from tests.integration.rest import Rest, jobs
from tests.servers import Postgres, ServerUnavailable

LARGE = jobs(*["b" * 60_000] * 4)


class Site:
    """An installation with one job under way, and its client."""

    def __init__(self, url: str) -> None:
        self.provider = FakeProvider()
        built = build(make_settings(database_url=url), RecordingDoorbell())
        self.runtime: Runtime = replace(built, providers={"hive_v2": self.provider})
        runner.upgrade(self.runtime.database)
        self.client: FlaskClient = checked_client(create_app(self.runtime))
        self.page = create_app(self.runtime).test_client()
        _log_in(self.page)
        self.key = keys.create(self.runtime, "alice", "tests").secret
        self.alice = Rest(self.client, self.key)
        self.batch_id = submit(self.runtime, "a")
        drain(self.runtime)

    @property
    def submitted(self) -> Submission:
        return self.provider.submissions[0]

    def call_back(self, size: int = 10) -> Any:
        return self.client.post(f"/callbacks/hive/{token_of(self.submitted)}", data=success("x" * size))

    def assert_troubled(self, words: str) -> None:
        """Nothing is taken, whoever asks is told to come again, and operators are told why."""
        for response in (self.alice.post("/api/batches", {"jobs": LARGE}), self.call_back(200_000)):
            assert response.status_code == 503, response.text
            assert int(response.headers["Retry-After"]) > 0
        response = self.client.get("/readyz")
        assert response.status_code == 503
        assert response.json is not None
        assert words in response.json["reason"]
        assert words.lower() in html.unescape(self.page.get("/admin/").text).lower()

    def assert_well(self) -> None:
        """It goes on by itself, with all that was accepted and nothing that was not."""
        assert self.client.get("/readyz").status_code == 200
        assert (len(inbox_rows(self.runtime)), states(self.runtime, self.batch_id)) == (0, ["waiting"])
        assert self.call_back().status_code == 200
        assert states(self.runtime, self.batch_id) == ["completed"]
        assert self.alice.submit("c")["total"] == 1


def _log_in(browser: FlaskClient) -> None:
    token = re.search(r'name="token" value="([^"]+)"', browser.get("/admin/login").text)
    assert token is not None
    assert browser.post("/admin/login", data={"token": token[1], "password": "a-password"}).status_code == 303


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """One on a file."""
    made = Site(f"sqlite:///{tmp_path / 'hivebatch.db'}")
    yield made
    made.runtime.close()


def told(caplog: pytest.LogCaptureFixture) -> set[str]:
    return {record.__dict__["trouble"] for record in caplog.records if record.__dict__.get("trouble")}


OTHER_SCHEMA = "the database has not the schema of this code"


@contextmanager
def half_migrated(database: Database) -> Iterator[None]:
    """While it lasts, columns are missing, and the revision is an old one."""
    columns = (("jobs", "custom_id"), ("callbacks", "sha256"))
    with database.transaction() as connection:
        for table, column in columns:
            connection.execute(text(f"ALTER TABLE {table} RENAME COLUMN {column} TO not_yet"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001_initial'"))
    yield
    with database.transaction() as connection:
        for table, column in columns:
            connection.execute(text(f"ALTER TABLE {table} RENAME COLUMN not_yet TO {column}"))
        connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": schema.HEAD})


@contextmanager
def no_file_may_grow() -> Iterator[None]:
    """None of this process, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# --- a file ---


@contextmanager
def pragma(database: Database, during: str, after: str) -> Iterator[None]:
    """Every connection gets this while it lasts, and that when it is over."""

    def set_(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA {during}")

    event.listen(database.engine, "checkout", set_)
    yield
    event.remove(database.engine, "checkout", set_)
    with database.engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA {after}")
    database.engine.dispose()


def test_a_database_that_can_not_grow_says_that_the_disk_is_full(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with site.runtime.database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    caplog.set_level(logging.WARNING)
    with pragma(site.runtime.database, f"max_page_count={pages + 2}", "max_page_count=1073741823"):
        response = site.call_back(200_000)
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert site.alice.post("/api/batches", {"jobs": LARGE}).status_code == 503
    assert told(caplog) == {"the disk of the database is full"}
    site.assert_well()


def test_a_file_that_the_system_lets_grow_no_more_is_trouble_that_passes(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with site.runtime.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    with no_file_may_grow():
        site.assert_troubled("disk")
    assert all("disk" in trouble for trouble in told(caplog))
    site.assert_well()


def test_a_read_only_database_says_so(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with pragma(site.runtime.database, "query_only=ON", "query_only=OFF"):
        site.assert_troubled("the database is read-only")
    assert told(caplog) == {"the database is read-only"}
    site.assert_well()


def test_a_file_whose_migration_did_not_come_to_its_end_takes_nothing(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with half_migrated(site.runtime.database):
        site.assert_troubled("schema")
    assert told(caplog) == {OTHER_SCHEMA, f"schema is 0001_initial, this code needs {schema.HEAD}"}
    site.assert_well()


# --- a server ---


@pytest.fixture
def server() -> Iterator[Postgres]:
    """A PostgreSQL of its own, to be killed and started."""
    made = Postgres()
    try:
        made.start()
    except ServerUnavailable as error:
        made.stop()
        pytest.skip(f"PostgreSQL could not run here: {error}")
    yield made
    made.stop()


def test_a_server_that_is_killed_and_started_again_is_found_again(
    server: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(server.create_database("killed"))
    server.kill()
    site.assert_troubled("the database")
    site.assert_troubled("can't be reached")
    server.start()
    site.assert_well()
    site.runtime.close()


def test_a_request_that_web_has_no_room_for_is_to_come_again(
    server: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(server.create_database("room"))
    large = json.dumps({"jobs": jobs(*["b" * 60_000] * 6)}).encode()
    headers = [("Authorization", f"Bearer {site.key}"), ("Content-Type", "application/json")]
    with no_file_may_grow():
        flask = site.alice.post("/api/batches", {"jobs": jobs(*["b" * 60_000] * 6)})
        front = call(Front(site.client.application), "POST /api/batches", arriving(large), headers=headers)
    assert (flask.status_code, front.status) == (503, 503)
    assert int(flask.headers["Retry-After"]) == int(front.headers["retry-after"]) > 0
    assert told(caplog) == {"there is no room here for the request"}
    site.assert_well()
    site.runtime.close()


def test_a_server_that_takes_no_writes_says_so(server: Postgres, caplog: pytest.LogCaptureFixture) -> None:
    site = Site(server.create_database("standby"))

    def set_read_only(value: str) -> None:
        with psycopg.connect(server.url().replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE standby SET default_transaction_read_only = {value}")
        site.runtime.database.engine.dispose()  # as when the server switched over

    set_read_only("on")
    site.assert_troubled("read-only: a standby, or in recovery")
    assert told(caplog) == {"the database is read-only: a standby, or in recovery"}
    set_read_only("off")
    site.assert_well()
    site.runtime.close()


def test_a_server_whose_migration_did_not_come_to_its_end_takes_nothing(
    server: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(server.create_database("half_migrated"))
    with half_migrated(site.runtime.database):
        site.assert_troubled("schema")
    assert told(caplog) == {OTHER_SCHEMA, f"schema is 0001_initial, this code needs {schema.HEAD}"}
    site.assert_well()
    site.runtime.close()
