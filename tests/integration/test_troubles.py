"""Trouble with the database is said plainly, loses nothing that was accepted, and is over when it is over."""

import json
import logging
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from app.api.front import Front
from app.db import Database
from app.store import schema
from tests.asgi import arriving, call
from tests.integration.rest import jobs
from tests.integration.sites import LARGE, Site, told
from tests.servers import OnSmallDisk, Postgres, ServerUnavailable


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """One on a file."""
    made = Site(f"sqlite:///{tmp_path / 'hivebatch.db'}")
    yield made
    made.runtime.close()


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
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
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


@pytest.mark.parametrize("is_first", [False, True])
def test_a_request_that_web_has_no_room_for_is_to_come_again(
    server: Postgres, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, is_first: bool
) -> None:
    """Also when it is the first that this process would have kept in a file."""
    site = Site(server.create_database(f"room_{is_first}"))
    monkeypatch.setattr(tempfile, "tempdir", None if is_first else tempfile.gettempdir())
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


def test_a_server_whose_migration_did_not_come_to_its_end_takes_nothing(
    server: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(server.create_database("half_migrated"))
    with half_migrated(site.runtime.database):
        site.assert_troubled("schema")
    assert told(caplog) == {OTHER_SCHEMA, f"schema is 0001_initial, this code needs {schema.HEAD}"}
    site.assert_well()
    site.runtime.close()


@pytest.fixture
def on_small_disk() -> Iterator[OnSmallDisk]:
    made = OnSmallDisk()
    try:
        made.start()
    except ServerUnavailable as error:
        made.stop()
        pytest.skip(f"PostgreSQL could not have a disk of its own here: {error}")
    yield made
    made.stop()


def test_a_server_whose_disk_is_full_says_so(on_small_disk: OnSmallDisk, caplog: pytest.LogCaptureFixture) -> None:
    site = Site(on_small_disk.create_database("full"))
    on_small_disk.fill()
    site.assert_troubled("the disk of the database is full")
    assert told(caplog) == {"the disk of the database is full"}
    on_small_disk.make_room()
    site.assert_well()
    site.close()
