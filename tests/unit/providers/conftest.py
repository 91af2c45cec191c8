"""Servers and senders that end with their test; every test that has a sender runs with each of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from app.providers.dialogues import Dialogue, Request, Response, T
from app.providers.requests_sender import RequestsSender
from app.providers.senders import Sender
from tests.certificates import certificate_for
from tests.senders import SENDERS, skip_if_missing
from tests.unit.providers.servers import Act, Server

Serve = Callable[..., Server]


class Waiting:
    """A sender, with somebody who waits for what it holds."""

    def __init__(self, sender: Sender) -> None:
        self.start, self.close = sender.start, sender.close

    def hold(self, dialogue: Dialogue[T]) -> T:
        return self.start(dialogue).result(20)

    def send(self, request: Request) -> Response:
        return self.hold(exchange(request))


class Clock:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


MakeSender = Callable[..., Waiting]


def exchange(request: Request) -> Dialogue[Response]:
    """A dialogue of one exchange, which raises what the sender says of it."""
    return (yield request)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers that answer as they are told."""
    with ExitStack() as running:

        def start(*acts: Act, **options: Any) -> Server:
            return running.enter_context(Server(*acts, **options))

        yield start


@pytest.fixture(params=SENDERS)
def sender_name(request: pytest.FixtureRequest) -> str:
    """The name of each sender in turn."""
    name: str = request.param
    skip_if_missing(name)
    return name


@pytest.fixture
def make_sender(sender_name: str) -> Iterator[MakeSender]:
    """Makes senders, which wait 5 s for an answer unless told otherwise."""
    with ExitStack() as opened:

        def make(submit_timeout_seconds: float = 5.0, at_once: int = 8, **options: Any) -> Waiting:
            connecting = options.pop("connect_timeout_seconds", 3.0)
            sender = _class_of(sender_name)(at_once, submit_timeout_seconds, connecting, **options)
            opened.callback(sender.close)
            return Waiting(sender)

        yield make


@pytest.fixture
def sender(make_sender: MakeSender) -> Waiting:
    return make_sender()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    return certificate_for("IP:127.0.0.1", tmp_path / "server.pem")


def _class_of(name: str) -> Callable[..., Sender]:
    if name == "requests":
        return RequestsSender
    from app.providers.curl_sender import CurlSender  # noqa: PLC0415 - it is an extra

    return CurlSender
