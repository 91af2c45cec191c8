"""The database layer: instants, transactions, SQLite's rules, and what is said when the database is away."""

import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import select, text

from app.db import Connection, Database
from app.errors import DatabaseBusy, DatabaseUnavailable
from app.ids import new_id
from app.models import holds, job_inputs, limits
from tests.servers import free_port

NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
CANARY = "canary-in-the-coal-mine"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path}/one.db")
    with opened.transaction() as connection:
        connection.execute(text("CREATE TABLE tally (number INTEGER)"))
        connection.execute(text("INSERT INTO tally VALUES (0)"))
    yield opened
    opened.close()


def keep(connection: Connection, at: datetime, provider: str = "p") -> None:
    connection.execute(sqlalchemy.insert(limits), {"provider": provider, "next_slot_at": at, "is_full": False})


def kept(connection: Connection) -> list[datetime]:
    return list(connection.execute(select(limits.c.next_slot_at).order_by(limits.c.next_slot_at)).scalars())


# --- instants ---


@pytest.mark.parametrize(
    "given",
    [
        NOON,
        NOON.astimezone(timezone(timedelta(hours=5, minutes=45))),
        NOON.astimezone(timezone(-timedelta(hours=12))),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(9998, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
    ids=str,
)
def test_an_instant_comes_back_as_the_same_instant_in_utc(database: Database, given: datetime) -> None:
    with database.transaction() as connection:
        keep(connection, given)
    with database.reading() as connection:
        (found,) = kept(connection)
    assert found == given
    assert found.utcoffset() == timedelta(0)


def test_instants_of_different_zones_compare_as_instants(database: Database) -> None:
    east = NOON.astimezone(timezone(timedelta(hours=9)))
    with database.transaction() as connection:
        keep(connection, east, "now")
        keep(connection, NOON + timedelta(microseconds=1), "later")
    with database.reading() as connection:
        assert kept(connection) == [NOON, NOON + timedelta(microseconds=1)]
        before = select(limits.c.provider).where(limits.c.next_slot_at <= NOON.astimezone(timezone.max))
        assert connection.execute(before).scalars().all() == ["now"]


def test_no_instant_stays_none(database: Database) -> None:
    row = {"scope": "provider", "scope_id": "p", "reason": "r", "message": "", "since": NOON, "placed_by": "test"}
    with database.transaction() as connection:
        connection.execute(sqlalchemy.insert(holds), row)
    with database.reading() as connection:
        assert connection.execute(select(holds.c.until)).scalar_one() is None


# --- transactions ---


def test_a_transaction_is_committed_when_its_block_ends(database: Database) -> None:
    with database.transaction() as connection:
        keep(connection, NOON)
    with database.reading() as connection:
        assert kept(connection) == [NOON]


def keep_and_fail(database: Database) -> None:
    with database.transaction() as connection:
        keep(connection, NOON)
        raise KeyError


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(KeyError):
        keep_and_fail(database)
    with database.reading() as connection:
        assert kept(connection) == []


def test_what_is_not_committed_is_not_seen(database: Database) -> None:
    with database.transaction() as writing:
        keep(writing, NOON)
        with database.reading() as connection:
            assert kept(connection) == []


def test_a_failed_transaction_leaves_its_connection_usable(database: Database) -> None:
    for _ in range(20):
        with pytest.raises(KeyError):
            keep_and_fail(database)
    with database.transaction() as connection:
        keep(connection, NOON)
    with database.reading() as connection:
        assert len(kept(connection)) == 1


# --- SQLite ---


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 5000)]
)
def test_every_connection_to_sqlite_follows_its_rules(sqlite: Database, pragma: str, value: object) -> None:
    with sqlite.reading() as one, sqlite.reading() as two:
        assert one.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value
        assert two.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value


def count_up(database: Database) -> None:
    with database.transaction() as connection:
        number = connection.execute(text("SELECT number FROM tally")).scalar_one()
        connection.execute(text("UPDATE tally SET number = :number"), {"number": number + 1})


def counted(database: Database) -> int:
    with database.reading() as connection:
        number: int = connection.execute(text("SELECT number FROM tally")).scalar_one()
        return number


def test_writers_of_one_process_take_turns_and_never_find_the_file_locked(sqlite: Database) -> None:
    @sqlalchemy.event.listens_for(sqlite.engine, "connect")
    def _impatient(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout=0")

    sqlite.engine.dispose()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count_up, [sqlite] * 200))
    assert counted(sqlite) == 200


def test_writers_of_several_processes_take_turns_from_their_first_read_on(sqlite: Database) -> None:
    processes = [Database(str(sqlite.engine.url)) for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(count_up, processes * 20))
    assert counted(sqlite) == 60
    for process in processes:
        process.close()


def test_a_writer_of_another_process_is_waited_for_and_not_overwritten(sqlite: Database) -> None:
    other = Database(str(sqlite.engine.url))
    with sqlite.transaction() as connection:
        connection.execute(text("UPDATE tally SET number = 5"))
        with other.reading() as reader:  # a reader is not held up
            assert reader.execute(text("SELECT number FROM tally")).scalar_one() == 0
    with other.transaction() as connection:
        assert connection.execute(text("SELECT number FROM tally")).scalar_one() == 5
    other.close()


# --- PostgreSQL ---


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"], ids=["short", "long", "exact"])
def test_every_spelling_of_a_postgresql_url_takes_the_same_driver(scheme: str) -> None:
    database = Database(f"{scheme}://user@127.0.0.1:1/x")
    assert database.engine.url.drivername == "postgresql+psycopg"
    assert not database.is_sqlite


def test_postgresql_lets_nobody_wait_for_ever(migrated_postgres: Database) -> None:
    with migrated_postgres.reading() as connection:
        found = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        }
    assert found == {
        "statement_timeout": "30s",
        "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": "30s",
    }


def test_a_lock_that_another_holds_is_busy_and_not_away(migrated_postgres: Database) -> None:
    with migrated_postgres.transaction() as holder:
        holder.execute(text("LOCK TABLE limits IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(DatabaseBusy), migrated_postgres.transaction() as connection:
            connection.execute(text("LOCK TABLE limits IN ACCESS EXCLUSIVE MODE NOWAIT"))


# --- away ---


def away(tmp_path: Path, kind: str) -> str:
    urls = {
        "a closed port": f"postgresql://user:{CANARY}@127.0.0.1:{free_port()}/x",
        "a missing directory": f"sqlite:///{tmp_path}/none/x.db",
        "a directory": f"sqlite:///{tmp_path}",
    }
    return urls[kind]


@pytest.mark.parametrize("kind", ["a closed port", "a missing directory", "a directory"])
def test_a_database_that_cannot_be_reached_is_unavailable(tmp_path: Path, kind: str) -> None:
    database = Database(away(tmp_path, kind))
    with pytest.raises(DatabaseUnavailable) as written, database.transaction():
        pytest.fail("there is no database")
    with pytest.raises(DatabaseUnavailable), database.reading():
        pytest.fail("there is no database")
    assert str(written.value)
    assert CANARY not in "".join(traceback.format_exception(written.value))
    database.close()


FAILING = {
    "sqlite": "SELECT :canary FROM no_such_table",
    "postgresql": "SELECT pg_sleep(60), CAST(:canary AS text)",
}


def run_into_an_outage(database: Database) -> None:
    with database.transaction() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL statement_timeout = 50"))
        connection.execute(text(FAILING[connection.dialect.name]), {"canary": CANARY})


def test_an_outage_is_told_without_statement_and_parameters(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        run_into_an_outage(database)
    assert str(caught.value)
    assert "SELECT" not in str(caught.value)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_an_error_of_ours_in_a_statement_is_no_outage_and_does_not_tell_what_was_written(database: Database) -> None:
    row = {"job_id": new_id(), "text_data": CANARY, "options": {"system_prompt": CANARY}}
    with pytest.raises(sqlalchemy.exc.IntegrityError) as caught, database.transaction() as connection:
        connection.execute(sqlalchemy.insert(job_inputs), [row, row | {"job_id": new_id()}])
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def lose_the_connection(database: Database, killer: Database) -> None:
    with database.transaction() as connection:
        own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with killer.transaction() as other:
            other.execute(text("SELECT pg_terminate_backend(:own)"), {"own": own})
        connection.execute(text("SELECT 1"))


def test_a_lost_connection_is_unavailable_and_the_next_transaction_has_a_new_one(migrated_postgres: Database) -> None:
    database = Database(migrated_postgres.engine.url.render_as_string(hide_password=False))
    with pytest.raises(DatabaseUnavailable):
        lose_the_connection(database, migrated_postgres)
    with database.reading() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    database.close()
