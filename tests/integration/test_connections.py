"""Connections to PostgreSQL: which are used as they are, which are asked first, which are replaced."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from freezegun.api import FrozenDateTimeFactory
from sqlalchemy import text

from app.db import Database
from tests.e2e.procfile import until


@pytest.fixture
def database(migrated_postgres: Database) -> Iterator[Database]:
    opened = Database(migrated_postgres.engine.url.render_as_string(hide_password=False))
    yield opened
    opened.close()


def backends(database: Database, number: int) -> set[int]:
    """The server processes of so many of its connections, taken at once and given back."""
    with ExitStack() as stack:
        taken = [stack.enter_context(database.reading()) for _ in range(number)]
        return {connection.execute(text("SELECT pg_backend_pid()")).scalar_one() for connection in taken}


def alive(database: Database) -> set[int]:
    """The server's processes, asked for in a transaction of its own: in one it tells the same again and again."""
    with database.reading() as connection:
        return set(connection.execute(text("SELECT pid FROM pg_stat_activity")).scalars())


def test_connections_that_the_server_ended_are_replaced_before_they_are_used(
    database: Database, migrated_postgres: Database
) -> None:
    before = backends(database, 3)
    with migrated_postgres.transaction() as connection:
        connection.execute(text("SELECT pg_terminate_backend(pid) FROM unnest(:pids) pid"), {"pids": list(before)})
    until(lambda: not before & alive(migrated_postgres), 20, "the server has ended them")
    assert not backends(database, 3) & before


def test_a_server_that_vanishes_while_it_is_spoken_to_is_given_up(database: Database) -> None:
    """TCP alone would send what nobody acknowledges for a quarter of an hour."""
    with database.reading() as connection:
        descriptor = connection.connection.driver_connection.fileno()  # type: ignore[union-attr]  # psycopg's has one
        with socket.socket(fileno=os.dup(descriptor)) as there:
            assert there.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 45_000


def test_a_connection_is_asked_only_when_it_was_idle(
    database: Database, monkeypatch: pytest.MonkeyPatch, clock: FrozenDateTimeFactory
) -> None:
    asked: list[object] = []
    dialect = database.engine.dialect
    ping = dialect.do_ping
    monkeypatch.setattr(dialect, "do_ping", lambda connection: asked.append(connection) or ping(connection))
    first = backends(database, 1)
    assert (backends(database, 1), len(asked)) == (first, 0)
    clock.tick(1.5)
    assert (backends(database, 1), len(asked)) == (first, 1)
