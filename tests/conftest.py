"""What the tests share: settings, a runtime on each database, a web client."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy
from flask.testing import FlaskClient

from app import create_app
from app.clock import now
from app.config import Settings
from app.db import Database
from app.models import metadata
from app.runtime import Runtime, build
from app.services import keys
from migrations import runner
from tests.fakes import FakeProvider, FakeReceivers, RecordingDoorbell
from tests.integration.conformance import checked_client
from tests.missing import IS_CI, leave_out
from tests.servers import Postgres, ServerUnavailable

DATABASES = ("sqlite", "postgresql")


def make_settings(**overrides: object) -> Settings:
    """Settings for a test: a loopback provider that nobody serves, and times that are easy to count with.

    Nobody serves the public URL either, so no echo is asked for.
    """
    chosen: dict[str, object] = {
        "secret_key": "a-secret-key-for-tests-of-32-chars",
        "admin_password": "a-password",
        "public_url": "http://127.0.0.1:8000",
        "hive_url": "http://127.0.0.1:9",
        "hive_key": "key-1",
        "submit_timeout_seconds": 10.0,
        "lease_seconds": 15.0,
        "callback_timeout_seconds": 60.0,
        "unknown_grace_seconds": 30.0,
        "backoff_base_seconds": 2.0,
        "backoff_max_seconds": 100.0,
        "sweep_seconds": 5.0,
        "max_attempts": 3,
        "connections": 4,
        "echo": "off",
    }
    return Settings(**{**chosen, **overrides})  # type: ignore[arg-type]  # pydantic checks them


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL with an empty database that this run may fill: given, or started from the wheel."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    server = Postgres()
    try:
        server.start()
    except ServerUnavailable as error:
        server.stop()
        leave_out(f"PostgreSQL could not run here: {error}")
    yield server.create_database("hivebatch_test")
    server.stop()


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> Iterator[Database]:
    """A PostgreSQL database at the newest schema."""
    database = Database(postgres_server, pool_size=12)
    runner.upgrade(database)
    yield database
    database.close()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file at the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    database = Database(f"sqlite:///{path}")
    runner.upgrade(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database at the newest schema: every test that uses it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        path = tmp_path / "hivebatch.db"
        path.write_bytes(request.getfixturevalue("migrated_sqlite").read_bytes())
        yield f"sqlite:///{path}"
        return
    database: Database = request.getfixturevalue("migrated_postgres")
    yield database.engine.url.render_as_string(hide_password=False)
    with database.engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(sqlalchemy.delete(table))


MakeRuntime = Callable[..., Runtime]


@pytest.fixture
def make_runtime(database_url: str) -> Iterator[MakeRuntime]:
    """Makes a runtime with a fake provider and a recording doorbell; settings are overridden by keyword."""
    made: list[Runtime] = []

    def make(**overrides: object) -> Runtime:
        runtime = build(make_settings(database_url=database_url, **overrides), RecordingDoorbell())
        # The database knows nothing of a frozen clock.
        runtime = replace(
            runtime,
            providers={"hive_v2": FakeProvider()},
            webhook_sender=FakeReceivers(),
            database_clock=lambda _: now(),
        )
        made.append(runtime)
        return runtime

    yield make
    for runtime in made:
        runtime.close()


@pytest.fixture
def runtime(make_runtime: MakeRuntime) -> Runtime:
    """A runtime on an empty database."""
    return make_runtime()


@pytest.fixture
def provider(runtime: Runtime) -> FakeProvider:
    """The fake provider of `runtime`."""
    found = runtime.providers["hive_v2"]
    assert isinstance(found, FakeProvider)
    return found


@pytest.fixture
def receivers(runtime: Runtime) -> FakeReceivers:
    """Whoever `runtime` sends webhooks to."""
    found = runtime.webhook_sender
    assert isinstance(found, FakeReceivers)
    return found


@pytest.fixture
def api_key(runtime: Runtime) -> str:
    """A key of owner `alice`."""
    return keys.create(runtime, "alice", "tests").secret


@pytest.fixture
def client(runtime: Runtime) -> FlaskClient:
    """A web client of an application over `runtime`; each answer is held against the OpenAPI document."""
    return checked_client(create_app(runtime))


_ran: Counter[str] = Counter()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count what really ran on each database (passed or failed; a skipped test did not run)."""
    if report.when == "call" and not report.skipped:
        for name in DATABASES:
            if f"[{name}" in report.nodeid or f"-{name}" in report.nodeid:
                _ran[name] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _ran:
        numbers = ", ".join(f"{_ran[name]} on {name}" for name in DATABASES)
        terminalreporter.write_line(f"database tests that ran: {numbers}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """The suite is the same on both databases, or it has failed: a skipped leg must not look green in CI."""
    options = session.config.option
    is_whole = not (hasattr(session.config, "workerinput") or options.keyword or options.maxfail)
    numbers = {_ran[name] for name in DATABASES}
    if is_whole and len(numbers) > 1 and (IS_CI or 0 not in numbers):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
