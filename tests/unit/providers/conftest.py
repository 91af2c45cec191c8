"""Servers and senders that end with their test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from app.providers.senders import RequestsSender
from tests.unit.providers.servers import Act, Server

Serve = Callable[..., Server]
MakeSender = Callable[..., RequestsSender]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers that answer as they are told."""
    with ExitStack() as running:

        def start(*acts: Act, **options: Any) -> Server:
            return running.enter_context(Server(*acts, **options))

        yield start


@pytest.fixture
def make_sender() -> Iterator[MakeSender]:
    """Makes senders, which wait 5 s for an answer unless told otherwise."""
    with ExitStack() as opened:

        def make(submit_timeout_seconds: float = 5.0, **options: Any) -> RequestsSender:
            sender = RequestsSender(submit_timeout_seconds, **options)
            opened.callback(sender.close)
            return sender

        yield make


@pytest.fixture
def sender(make_sender: MakeSender) -> RequestsSender:
    return make_sender()
