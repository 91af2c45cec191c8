"""What the tests of whole processes share."""

import threading
from collections.abc import Iterator

import pytest

from tests.e2e.processes import Processes
from tests.e2e.taker import Taker


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Starts processes for one test; none outlives it."""
    with Processes() as started:
        yield started


@pytest.fixture
def taker() -> Iterator[Taker]:
    with Taker() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
