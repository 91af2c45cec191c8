"""What the integration tests share beside databases: a clock that moves only when it is told to."""

from collections.abc import Iterator

import pytest
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory

from app.services import doctor
from tests.missing import leave_out
from tests.servers import Postgres, ServerUnavailable


@pytest.fixture
def clock() -> Iterator[FrozenDateTimeFactory]:
    """Noon of a quiet day; `clock.tick(seconds)` lets time pass, for every thread; pytest's own watch goes on."""
    with freeze_time("2026-03-01 12:00:00", ignore=["_pytest", "pytest_timeout"]) as frozen:
        yield frozen


@pytest.fixture(autouse=True)
def sound(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test does, the invariants hold when it is over; alarms apart, which it may leave to ring."""
    if "make_runtime" not in request.fixturenames:
        yield
        return
    make_runtime = request.getfixturevalue("make_runtime")
    yield
    with freeze_time("2000-01-01"):  # when no alarm had rung yet
        findings = doctor.examine(make_runtime(), with_bodies=True)
    assert [(each.name, row.reason) for each in findings for row in each.violations] == []


@pytest.fixture(scope="module")
def own_server() -> Iterator[Postgres]:
    """A PostgreSQL for the tests of one module."""
    made = Postgres()
    try:
        made.start()
    except ServerUnavailable as error:
        made.stop()
        leave_out(f"PostgreSQL could not run here: {error}")
    yield made
    made.stop()


@pytest.fixture
def server(own_server: Postgres) -> Iterator[Postgres]:
    """A PostgreSQL of its own, to be killed and started."""
    yield own_server
    if not own_server.is_running:
        own_server.start()
