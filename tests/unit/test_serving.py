"""The web server's stop: heeded from the moment the server is made, however early it comes."""

import os
import signal
from collections.abc import Iterator

import pytest

from app.api.asgi import Receive, Scope, Send
from app.cli import serving


@pytest.fixture
def _handlers_kept() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in serving.STOP_SIGNALS}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


async def _unused(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise AssertionError("no request was made")


@pytest.mark.usefixtures("_handlers_kept")
@pytest.mark.parametrize("number", serving.STOP_SIGNALS)
def test_a_stop_before_the_first_answer_is_heeded(number: signal.Signals) -> None:
    stops: list[str] = []
    server = serving.Server(_unused, lambda: stops.append("stopped"))
    os.kill(os.getpid(), number)
    with serving.listen("127.0.0.1", 0) as listener:
        server.answer(listener)
    assert stops == ["stopped"]
