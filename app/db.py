"""The engine and its two kinds of transactions: `transaction()` writes, `reading()` reads."""

import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from sqlalchemy import Connection, DateTime, Dialect, Engine, TypeDecorator, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import DatabaseBusy, DatabaseUnavailable

__all__ = ["Connection", "Database", "UtcDateTime"]

# `hide_parameters`, in both engines: an error's text reaches the log, and parameters hold prompts and answers.
# Classes of PostgreSQL's error codes: another transaction was in the way; no connection, not writable, no resources,
# stopping, failing. Whoever gets the second kind may come again later.
_BUSY = frozenset({"40", "55"})
_AWAY = frozenset({"08", "25", "53", "57", "58", "XX"})
_IDLE_SECONDS = 1.0
_OTHER_SCHEMA = "the database has not the schema of this code"
_TROUBLES = {
    "42P01": _OTHER_SCHEMA,
    "42703": _OTHER_SCHEMA,
    "53100": "the disk of the database is full",
    "53300": "the database has no connection left",
    "53": "the database has run out of resources",
    "25006": "the database is read-only: a standby, or in recovery",
    "57014": "the database is too slow: it gave up on a statement",
    "57P": "the database is stopping or starting",
    "58": "the database can't read or write its files",
    "XX": "the database has a fault of its own, of which its log says more",
    "SQLITE_FULL": "the disk of the database is full",
    "SQLITE_READONLY": "the database is read-only",
    "SQLITE_CANTOPEN": "the database's file can't be opened",
    "SQLITE_IOERR": "the database can't read or write its file: is the disk full?",
    "SQLITE_BUSY": "the database is locked by another process",
}
# A connection that PostgreSQL refuses has no code, nor has SQLite for what it does not find.
_WORDS = {
    "starting up": "the database is starting",
    "shutting down": "the database is stopping",
    "recovery": "the database is in recovery",
    "too many clients": "the database has no connection left",
    "no such table": _OTHER_SCHEMA,
    "no such column": _OTHER_SCHEMA,
    "has no column": _OTHER_SCHEMA,
}
_POSTGRES_OPTIONS = "-c statement_timeout=30s -c lock_timeout=2s -c idle_in_transaction_session_timeout=30s"


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC instants; SQLite, which has no time zones, gets them naive, so that they compare as text."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """One database, SQLite or PostgreSQL, as this process uses it."""

    def __init__(self, url: str, pool_size: int = 6) -> None:
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self.engine = _sqlite(url) if self.is_sqlite else _postgres(url, pool_size)
        self._sqlite_writer = threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that writes; committed when the block ends, rolled back when it raises.

        Raises:
            DatabaseUnavailable: the database can't be reached, is full, locked or shutting down.
        """
        with _translated(), self._one_writer(), self.engine.connect() as connection:
            connection.execution_options(hivebatch_writes=True)
            with connection.begin():
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads; short, like the other. Raises as `transaction()`."""
        with _translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        # SQLite's busy_timeout polls; left to it alone, threads of one process wait seconds for their turn.
        if not self.is_sqlite:
            yield
            return
        with self._sqlite_writer:
            yield

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseUnavailable(_summary(error), "the database is too slow: no connection is free") from error
    except (DBAPIError, psycopg.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(cause, "sqlstate", None) or ""
        kind = code[:2]
        if kind in _BUSY:
            raise DatabaseBusy(
                _summary(error), "the database is busy"
            ) from None  # a driver's own words quote the row that it was at
        has_no_code = not code and isinstance(error, (OperationalError, psycopg.OperationalError))
        if kind in _AWAY or _TROUBLES.get(code) == _OTHER_SCHEMA or has_no_code:
            raise DatabaseUnavailable(_summary(error), _trouble(cause)) from None
        raise


def _trouble(cause: BaseException | None) -> str:
    """What is wrong, as far as the driver tells: by its code, or, where a connection is refused, by its words."""
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None) or ""
    words = str(cause)
    told = [trouble for sign, trouble in _TROUBLES.items() if code.startswith(sign)]
    told += [trouble for sign, trouble in _WORDS.items() if sign in words]
    return told[0] if told else "the database can't be reached or written"


def _summary(error: Exception) -> str:
    # Statement and parameters stay out: they hold prompts.
    cause = error.orig if isinstance(error, DBAPIError) else error
    return f"{type(cause).__name__}: {str(cause).splitlines()[0] if str(cause) else ''}"


def _postgres(url: str, pool_size: int) -> Engine:
    parsed = make_url(url)
    if parsed.drivername in {"postgres", "postgresql"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(
        parsed,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        connect_args={
            "options": _POSTGRES_OPTIONS,
            "connect_timeout": 5,
            "keepalives_idle": 30,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
    )
    _ping_when_in_doubt(engine)
    return engine


def _ping_when_in_doubt(engine: Engine) -> None:
    """Replace a dead connection before it is used, all of them if one is: after a restart of the server they are.

    SQLAlchemy's `pool_pre_ping` asks each time, which is a tenth of a short transaction. One that was in use a moment
    ago and that the server has said nothing on since, no farewell either, needs no question.
    """

    @event.listens_for(engine, "checkin")
    def _note(_connection: Any, record: Any) -> None:
        record.info["free_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _check(connection: Any, record: Any, _proxy: object) -> None:
        free_since = record.info.get("free_since")
        if free_since is None or (time.monotonic() - free_since < _IDLE_SECONDS and not _has_news(connection)):
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            raise InvalidatePoolError from error


def _has_news(connection: Any) -> bool:
    """Whether bytes of the server wait to be read, or its end of the connection."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": 5.0, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("hivebatch_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
