"""A served sandbox, a client for it and a receiver of its callbacks."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from app.sandbox import SandboxConfig
from app.sandbox.server import SandboxServer
from tests.unit.sandbox.served import Client, Receiver, Serve


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.may_answer.set()
    receiver.stop()


@pytest.fixture
def serve(receiver: Receiver) -> Iterator[Serve]:
    """Makes clients of new sandboxes: calm and without latency unless the settings say otherwise."""
    with ExitStack() as servers:

        def make(**settings: Any) -> Client:
            defaults = {"profile": "calm", "latency": (0.0, 0.0), "repeat_seconds": 0.0}
            return Client(servers.enter_context(SandboxServer(SandboxConfig(**(defaults | settings)))), receiver)

        yield make


@pytest.fixture
def client(serve: Serve) -> Client:
    return serve()
