"""Holding dialogues: how many at once, when each begins, and that whoever waits for one hears of its end."""

import threading
from concurrent.futures import CancelledError

import pytest

from app.providers.dialogues import Dialogue, NotSent, Response
from tests.unit.providers.conftest import Clock, MakeSender, Serve, Waiting, exchange
from tests.unit.providers.servers import answer, in_turn, says, wait_for
from tests.unit.providers.test_senders import closed_port, post


def saying(word: str) -> Dialogue[str]:
    """A dialogue without a request."""
    return word
    yield


def asking_nonsense() -> Dialogue[None]:
    """A dialogue whose request is none, so that whatever sends it breaks."""
    yield 17  # type: ignore[misc]  # nonsense


def test_a_dialogue_goes_on_until_it_has_heard_enough(serve: Serve, sender: Waiting) -> None:
    server = serve(answer(200, b"one"), answer(200, b"two"))

    def asks_twice() -> Dialogue[list[bytes]]:
        heard: list[Response] = []
        heard.append((yield post(server.url)))
        heard.append((yield post(server.url, heard[0].body)))
        return [response.body for response in heard]

    assert sender.hold(asks_twice()) == [b"one", b"two"]
    assert [received.body for received in server.received] == [b"{}", b"one"]


def test_a_dialogue_may_go_on_after_what_was_not_sent(serve: Serve, sender: Waiting) -> None:
    server = serve(answer(200, b"here"))

    def tries_another() -> Dialogue[bytes]:
        try:
            return (yield post(f"http://127.0.0.1:{closed_port()}")).body
        except NotSent:
            return (yield post(server.url)).body

    assert sender.hold(tries_another()) == b"here"


def test_all_exchanges_of_a_dialogue_share_its_time(serve: Serve, make_sender: MakeSender) -> None:
    server, clock = serve(answer()), Clock()

    def dawdles_between() -> Dialogue[None]:
        yield post(server.url)
        clock.seconds += 6
        yield post(server.url)

    with pytest.raises(NotSent, match="timed out"):
        make_sender(5.0, monotonic=clock).hold(dawdles_between())
    assert len(server.received) == 1


def test_a_dialogue_that_breaks_tells_who_waits_for_it_and_the_others_go_on(serve: Serve, sender: Waiting) -> None:
    def breaks_at_once() -> Dialogue[None]:
        raise ZeroDivisionError
        yield

    def breaks_later() -> Dialogue[float]:
        return (yield post(serve(answer()).url)).status / 0

    for broken in (breaks_at_once(), breaks_later()):
        with pytest.raises(ZeroDivisionError):
            sender.hold(broken)
    assert sender.hold(saying("well")) == "well"


def test_no_more_are_held_at_once_than_there_are_connections(serve: Serve, make_sender: MakeSender) -> None:
    sender, may_answer = make_sender(at_once=3), threading.Event()
    both, begun = threading.Semaphore(0), []

    def waits(number: int) -> Dialogue[int]:
        begun.append(number)
        both.release()
        return (yield post(server.url)).status

    server = serve(in_turn(wait_for(may_answer), answer()))
    futures = [sender.start(waits(number)) for number in range(7)]
    assert all(both.acquire(timeout=5) for _ in range(3))
    assert not both.acquire(timeout=0.05)
    may_answer.set()
    assert [future.result(5) for future in futures] == [200] * 7
    assert (sorted(begun), server.connections) == (list(range(7)), 3)


def test_one_slow_answer_does_not_keep_the_others_waiting(serve: Serve, make_sender: MakeSender) -> None:
    sender, may_answer = make_sender(at_once=2), threading.Event()
    slow = sender.start(exchange(post(serve(in_turn(wait_for(may_answer), answer(200, b"slow"))).url)))
    server = serve(answer(200, b"fast"))
    assert [sender.send(post(server.url)).body for _ in range(5)] == [b"fast"] * 5
    assert not slow.done()
    may_answer.set()
    assert slow.result(5).body == b"slow"


def test_nothing_of_a_dialogue_runs_before_its_delay_is_over_and_others_go_ahead(make_sender: MakeSender) -> None:
    sender, order = make_sender(at_once=2), list[str]()

    def noting(word: str) -> Dialogue[None]:
        order.append(word)
        return
        yield

    futures = [sender.start(noting("late"), 0.1), sender.start(noting("later"), 0.2), sender.start(noting("now"))]
    for future in futures:
        future.result(5)
    assert order == ["now", "late", "later"]


def test_a_dialogue_that_waits_can_be_cancelled_and_one_that_has_begun_can_not(serve: Serve, sender: Waiting) -> None:
    may_answer, came = threading.Event(), threading.Event()
    server = serve(in_turn(lambda line: came.set(), wait_for(may_answer), says({})))
    waiting, begun = sender.start(saying("never"), 60.0), sender.start(exchange(post(server.url)))
    assert came.wait(5)
    assert (waiting.cancel(), begun.cancel()) == (True, False)
    may_answer.set()
    assert begun.result(5).status == 200


def test_closing_waits_for_what_is_under_way_and_cancels_what_is_not(serve: Serve, make_sender: MakeSender) -> None:
    sender, may_answer, came = make_sender(at_once=2), threading.Event(), threading.Event()
    server = serve(in_turn(lambda line: came.set(), wait_for(may_answer), answer(200, b"done")))
    begun = sender.start(exchange(post(server.url)))
    assert came.wait(5)
    waiting = sender.start(saying("never"), 60.0)
    patience = threading.Timer(0.05, may_answer.set)
    patience.start()
    sender.close()
    assert begun.result(0).body == b"done"
    with pytest.raises(CancelledError):
        waiting.result(0)
    patience.join()


def test_a_closed_sender_takes_nothing_more(sender: Waiting) -> None:
    sender.close()
    with pytest.raises(RuntimeError):
        sender.start(saying("never"))
    sender.close()
