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

from app import troubles
from app.errors import DatabaseBusy, DatabaseUnavailable

__all__ = ["Connection", "Database", "UtcDateTime"]

_IDLE_SECONDS = 1.0
# `hide_parameters`, in both engines: an error's text reaches the log, and parameters hold prompts and answers.
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
        self._are_in_doubt = threading.Event()
        self.engine = _sqlite(url) if self.is_sqlite else _postgres(url, pool_size, self._are_in_doubt)
        self._sqlite_writer = threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that writes; committed when the block ends, rolled back when it raises.

        Raises:
            DatabaseUnavailable: the database can't be reached, is full, locked or shutting down.
        """
        with _translated(), self._one_writer(), self._looking_for_a_primary(), self.engine.connect() as connection:
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

    @contextmanager
    def _looking_for_a_primary(self) -> Iterator[None]:
        """What takes no writes was the primary once, or is it not yet: new connections may lead to another server."""
        try:
            yield
        except (DBAPIError, psycopg.Error) as error:
            if _code(_cause(error)) == troubles.READ_ONLY:
                self._are_in_doubt.set()
            raise

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseUnavailable(_summary(error), "the database is too slow: no connection is free") from error
    except (DBAPIError, psycopg.Error) as error:
        cause = _cause(error)
        code = _code(cause)
        if troubles.is_busy(code):
            raise DatabaseBusy(
                _summary(error), "the database is busy"
            ) from None  # a driver's own words quote the row that it was at
        has_no_code = not code and isinstance(error, (OperationalError, psycopg.OperationalError))
        if troubles.is_away(code) or has_no_code:
            code = code or getattr(cause, "sqlite_errorname", None) or ""
            raise DatabaseUnavailable(_summary(error), troubles.in_words(code, str(cause))) from None
        raise


def _cause(error: Exception) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error


def _code(cause: BaseException | None) -> str:
    """PostgreSQL's; empty for what has none."""
    return getattr(cause, "sqlstate", None) or ""


def _summary(error: Exception) -> str:
    # Statement and parameters stay out: they hold prompts.
    cause = _cause(error)
    return f"{type(cause).__name__}: {str(cause).splitlines()[0] if str(cause) else ''}"


def _postgres(url: str, pool_size: int, are_in_doubt: threading.Event) -> Engine:
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
            "tcp_user_timeout": 45_000,  # as long as those, also for what was sent and never acknowledged
        },
    )
    _ping_when_in_doubt(engine, are_in_doubt)
    return engine


def _ping_when_in_doubt(engine: Engine, are_in_doubt: threading.Event) -> None:
    """Replace a dead connection before it is used, all of them if one is: after a restart of the server they are.

    All of them too, once, if `are_in_doubt`: a server that is not the primary any more may keep them for ever.

    SQLAlchemy's `pool_pre_ping` asks each time, which is a tenth of a short transaction. One that was in use a moment
    ago and that the server has said nothing on since, no farewell either, needs no question.
    """

    @event.listens_for(engine, "checkin")
    def _note(_connection: Any, record: Any) -> None:
        record.info["free_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _check(connection: Any, record: Any, _proxy: object) -> None:
        free_since = record.info.get("free_since")
        if free_since is None:  # it is new
            return
        if are_in_doubt.is_set():
            are_in_doubt.clear()
            raise InvalidatePoolError
        if time.monotonic() - free_since < _IDLE_SECONDS and not _has_news(connection):
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
