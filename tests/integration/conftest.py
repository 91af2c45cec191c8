"""What the integration tests share beside databases: a clock that moves only when it is told to."""

from collections.abc import Iterator

import pytest
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory


@pytest.fixture
def clock() -> Iterator[FrozenDateTimeFactory]:
    """Noon of a quiet day; `clock.tick(seconds)` lets time pass, for every thread; pytest's own watch goes on."""
    with freeze_time("2026-03-01 12:00:00", ignore=["_pytest", "pytest_timeout"]) as frozen:
        yield frozen
