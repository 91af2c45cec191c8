"""What the tests of whole processes share."""

from collections.abc import Iterator

import pytest

from tests.e2e.processes import Processes


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Starts processes for one test; none outlives it."""
    with Processes() as started:
        yield started
