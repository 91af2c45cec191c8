"""What only the sender with pycurl does: one thread for all, an extra that may be missing."""

import sys
import threading

import pytest

from app.errors import UnsafeConfiguration
from app.providers.dialogues import Dialogue
from app.queue import SilentDoorbell
from app.runtime import build
from tests.conftest import make_settings
from tests.unit.providers.conftest import MakeSender, Serve, Waiting, exchange
from tests.unit.providers.servers import answer, hang_up, in_turn
from tests.unit.providers.test_dialogues import asking_nonsense, saying
from tests.unit.providers.test_senders import post

pytestmark = pytest.mark.parametrize("sender_name", ["pycurl"], indirect=True)


def test_all_dialogues_are_held_in_one_thread(serve: Serve, sender: Waiting) -> None:
    all_came = threading.Barrier(5)
    server = serve(in_turn(lambda line: all_came.wait(5) and None, answer()))

    def naming_its_thread() -> Dialogue[int]:
        yield post(server.url)
        return threading.get_ident()

    futures = [sender.start(naming_its_thread()) for _ in range(5)]
    assert len({future.result(5) for future in futures}) == 1
    assert server.connections == 5


def test_a_request_that_breaks_the_thread_is_heard_of_and_another_thread_goes_on(
    serve: Serve, sender: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    came, may_answer, broke = threading.Event(), threading.Event(), threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: broke.set())
    server = serve(in_turn(lambda line: came.set(), lambda line: may_answer.wait(5) and None, answer()), answer())
    under_way = sender.start(exchange(post(server.url)))
    assert came.wait(5)
    for future in (sender.start(asking_nonsense()), under_way):
        with pytest.raises(RuntimeError, match="broke"):
            future.result(5)
    assert broke.wait(5)
    may_answer.set()
    assert sender.hold(saying("well")) == "well"
    assert sender.send(post(server.url)).status == 200


def test_when_all_kept_connections_were_closed_the_request_is_sent_over_a_new_one(
    serve: Serve, make_sender: MakeSender
) -> None:
    sender, all_came, closed = make_sender(at_once=4), threading.Barrier(4), threading.Semaphore(0)
    meet = in_turn(lambda line: all_came.wait(5) and None, answer(), hang_up, lambda line: closed.release())
    server = serve(meet, meet, meet, meet, answer(200, b"new"))
    for future in [sender.start(exchange(post(server.url))) for _ in range(4)]:
        future.result(5)
    assert all(closed.acquire(timeout=5) for _ in range(4))
    assert sender.send(post(server.url)).body == b"new"
    assert (len(server.received), server.connections) == (5, 5)


def test_without_the_extra_a_process_does_not_start_and_says_what_is_missing(
    sender: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "app.providers.curl_sender", None)
    with pytest.raises(UnsafeConfiguration, match=r"hivebatch\[fast\]"):
        build(make_settings(sender="pycurl"), SilentDoorbell())
