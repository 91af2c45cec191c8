"""Migrations: one line of history, and at its end exactly what the models say, on both databases."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from alembic.config import Config
from alembic.script import ScriptDirectory
from freezegun.api import FrozenDateTimeFactory
from sqlalchemy import Connection, inspect, text

import migrations
from app.db import Database
from app.errors import InvalidInput, Problem
from app.models import metadata, webhook_events
from app.runtime import Runtime
from app.services import batches, creation
from app.services.views import NewBatch
from app.states import END_EVENTS
from app.store import schema
from migrations import runner
from tests.factories import deliver, submit, sweep, take_one
from tests.fakes import success

FOLDER = Path(migrations.__file__).parent
FRESH = "made_by_the_models"
BETWEEN_COLUMNS = r",? *\n|, (?=\w+ [A-Z]+)"
"""In the words of a SQLite table; a column that a migration added has no line of its own."""


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


def history() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    return ScriptDirectory.from_config(config)


def test_the_history_has_one_end_and_one_beginning() -> None:
    assert len(history().get_heads()) == 1
    assert len(history().get_bases()) == 1


def test_the_code_asks_for_the_end_of_the_history() -> None:
    assert history().get_current_head() == schema.HEAD


def test_every_revision_is_named_as_its_file_and_follows_the_one_before() -> None:
    files = sorted(path.stem for path in (FOLDER / "versions").glob("*.py") if path.stem != "__init__")
    revisions = list(reversed(list(history().walk_revisions())))
    assert [revision.revision for revision in revisions] == files
    assert [revision.down_revision for revision in revisions] == [None, *files[:-1]]
    assert all(re.fullmatch(r"\d{4}_[a-z0-9_]+", name) for name in files)


def test_a_migrated_database_is_at_the_end_of_the_history(database: Database) -> None:
    with database.reading() as connection:
        assert schema.revision(connection) == schema.HEAD


def test_models_and_migrations_agree(database: Database) -> None:
    runner.check(database)
    with database.reading() as connection:
        assert set(inspect(connection).get_table_names()) == set(metadata.tables) | {"alembic_version"}


def test_migrating_again_changes_nothing(database: Database) -> None:
    before = catalog(database)
    runner.upgrade(database)
    assert catalog(database) == before


def test_a_database_that_was_never_migrated_says_so(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/empty.db")
    with database.reading() as connection:
        assert schema.revision(connection) is None
    database.close()


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/odd.db")
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE jobs (is_in_the_way INTEGER)"))
    with pytest.raises(Exception, match="jobs"):
        runner.upgrade(database)
    with database.reading() as connection:
        assert inspect(connection).get_table_names() == ["jobs"]
    database.close()


def test_a_migrated_catalog_is_that_of_the_models_to_the_last_check_and_index(
    database: Database, tmp_path: Path
) -> None:
    migrated = catalog(database)
    assert any("CHECK" in entry for entry in migrated)
    assert any("WHERE" in entry for entry in migrated)
    assert migrated == fresh_catalog(database, tmp_path)


def fresh_catalog(database: Database, tmp_path: Path) -> set[str]:
    """What the models make of an empty database of the same kind."""
    if database.is_sqlite:
        fresh = Database(f"sqlite:///{tmp_path}/fresh.db")
        with fresh.transaction() as connection:
            metadata.create_all(connection)
        made = catalog(fresh)
        fresh.close()
        return made
    with database.engine.connect() as connection, connection.begin() as transaction:
        connection.execute(text(f"CREATE SCHEMA {FRESH}"))
        connection.execute(text(f"SET LOCAL search_path TO {FRESH}"))
        metadata.create_all(connection)
        made = postgres_catalog(connection, FRESH)
        transaction.rollback()
    return made


def catalog(database: Database) -> set[str]:
    """Everything that defines the tables, one text each."""
    with database.reading() as connection:
        return sqlite_catalog(connection) if database.is_sqlite else postgres_catalog(connection, "public")


def sqlite_catalog(connection: Connection) -> set[str]:
    rows = connection.execute(text("SELECT type, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    return {
        f"{row.type} {row.tbl_name}: {part.strip()}"
        for row in rows
        if row.tbl_name != "alembic_version"
        for part in re.split(BETWEEN_COLUMNS, row.sql)
    }


POSTGRES = """
SELECT 'column ' || table_name || '.' || column_name || ' ' || udt_name || ' ' || is_nullable || ' '
       || coalesce(character_maximum_length::text, '') || ' ' || coalesce(column_default, '')
  FROM information_schema.columns WHERE table_schema = :schema
UNION ALL
SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(pg_constraint.oid)
  FROM pg_constraint JOIN pg_namespace ON pg_namespace.oid = connamespace WHERE nspname = :schema
UNION ALL
SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = :schema
"""


def postgres_catalog(connection: Connection, schema_name: str) -> set[str]:
    rows = connection.execute(sqlalchemy.text(POSTGRES), {"schema": schema_name}).scalars()
    return {row.replace(f"{schema_name}.", "") for row in rows if "alembic_version" not in row}


def test_the_migration_tells_of_past_ends_as_they_would_be_told_of_today(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    submit(runtime, "completed", owner="bob")
    deliver(runtime, take_one(runtime).submission, success("x"))
    batches.cancel(runtime, "alice", submit(runtime, "cancelled"))
    submit(runtime, "expired", expires_in_seconds=10)
    creation.refuse(runtime, NewBatch("alice"), InvalidInput([Problem("no")]))
    clock.tick(10)
    sweep(runtime)
    submit(runtime, "open")
    with runtime.database.transaction() as connection:
        told = ends(connection)
        connection.execute(sqlalchemy.delete(webhook_events))
        connection.execute(text(importlib.import_module("migrations.versions.0010_webhooks").PAST_ENDS))
        assert ends(connection) == told
    assert {end[1] for end in told} == set(END_EVENTS)


def ends(connection: Connection) -> set[tuple[object, ...]]:
    """What is told of each batch."""
    names = ("batch_id", "type", "owner", "round", "occasion", "created_at", "forget_at")
    rows = connection.execute(sqlalchemy.select(webhook_events))
    return {(*(getattr(row, name) for name in names), str(row.data)) for row in rows}
