"""What only the sender with `requests` does: a thread for each exchange, and Python's own look-up of names."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from app.providers.dialogues import NotSent
from app.providers.requests_sender import RequestsSender
from tests.unit.providers.conftest import Clock, Serve, Waiting, exchange
from tests.unit.providers.servers import answer, in_turn
from tests.unit.providers.test_dialogues import asking_nonsense, saying
from tests.unit.providers.test_senders import post


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sender(clock: Clock) -> Iterator[Waiting]:
    with closing(RequestsSender(4, 5.0, 3.0, monotonic=clock)) as made:
        yield Waiting(made)


def test_a_name_that_resolves_after_the_deadline_means_not_sent(
    serve: Serve, sender: Waiting, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(answer())
    resolve = socket.getaddrinfo

    def slowly(*args: object, **kwargs: object) -> object:
        clock.seconds += 60
        return resolve(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    with pytest.raises(NotSent, match="timed out"):
        sender.send(post(server.url))
    assert server.received == []


def test_each_thread_has_a_connection_of_its_own(serve: Serve, sender: Waiting) -> None:
    all_came = threading.Barrier(4)
    server = serve(in_turn(lambda line: all_came.wait(5) and None, answer(200, b"mine")))
    futures = [sender.start(exchange(post(server.url))) for _ in range(8)]
    assert [future.result(5).body for future in futures] == [b"mine"] * 8
    assert server.connections == 4


def test_a_request_that_breaks_its_thread_is_heard_of_and_the_others_go_on(sender: Waiting) -> None:
    for _ in range(5):
        with pytest.raises(AttributeError):
            sender.hold(asking_nonsense())
    assert sender.hold(saying("well")) == "well"
