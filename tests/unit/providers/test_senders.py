"""Sending: what certainly never left, what may have arrived, and which connections are used again."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from app.providers.dialogues import MAX_ANSWER_BYTES, Dialogue, NoAnswer, NotSent, Request, Response
from tests.unit.providers.conftest import Clock, MakeSender, Serve, Waiting, exchange
from tests.unit.providers.servers import (
    Act,
    Line,
    answer,
    drip,
    hang,
    hang_up,
    in_chunks,
    in_turn,
    raw,
    raw_then_close,
    read_some_then_reset,
    reset,
    tls_with,
    wait_for,
)


def post(url: str, body: bytes = b"{}") -> Request:
    return Request(url + "/submit", {"Authorization": "Token k_1"}, body)


@contextmanager
def at_once() -> Iterator[None]:
    """Well before any time-out of 5 s."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 3


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_a_request_arrives_as_it_was_given_and_its_answer_comes_back_whole(serve: Serve, sender: Waiting) -> None:
    server = serve(answer(201, b"made", Retry_After="7"))
    response = sender.send(post(server.url, b'{"text_data": "x"}'))
    assert (response.status, response.body, response.headers["retry-after"]) == (201, b"made", "7")
    received = server.received[0]
    assert (received.method, received.path, received.body) == ("POST", "/submit", b'{"text_data": "x"}')
    assert received.headers["authorization"] == "Token k_1"


def test_a_get_carries_no_body(serve: Serve, sender: Waiting) -> None:
    server = serve(answer())
    sender.send(Request(server.url + "/task?task_id=a%2Fb", {}))
    assert server.received[0].path == "/task?task_id=a%2Fb"
    assert "content-length" not in server.received[0].headers


def test_who_listens_hears_an_answer_while_it_arrives_and_it_comes_back_whole(serve: Serve, sender: Waiting) -> None:
    is_heard, heard = threading.Event(), bytearray()

    def listen(piece: bytes) -> None:
        heard.extend(piece)
        is_heard.set()

    server = serve(in_chunks(b"one ", is_heard, b"two"))
    waiting = sender.start(exchange(Request(server.url, {}, b"{}", listener=listen)))
    assert is_heard.wait(4), "nothing was heard before the answer was whole"
    assert waiting.result(10).body == b"one two" == bytes(heard)


# --- nothing was sent ---


def test_a_closed_port_means_not_sent(sender: Waiting) -> None:
    with pytest.raises(NotSent, match=r"refused|connect to server"):
        sender.send(post(f"http://127.0.0.1:{closed_port()}"))


def test_a_name_that_does_not_resolve_means_not_sent(sender: Waiting) -> None:
    with pytest.raises(NotSent, match=r"gaierror|resolve"):
        sender.send(post("http://nowhere.invalid"))


def test_tls_to_a_plain_server_means_not_sent(serve: Serve, sender: Waiting) -> None:
    server = serve(greet=raw_then_close(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    with pytest.raises(NotSent, match=r"SSL|TLS"):
        sender.send(post(f"https://127.0.0.1:{server.port}"))


@pytest.mark.parametrize("greet", [hang_up, read_some_then_reset])
def test_a_connection_that_ends_during_the_handshake_means_not_sent(serve: Serve, sender: Waiting, greet: Act) -> None:
    server = serve(greet=greet)
    with pytest.raises(NotSent):
        sender.send(post(f"https://127.0.0.1:{server.port}"))


def test_a_handshake_that_takes_too_long_means_not_sent(serve: Serve, make_sender: MakeSender) -> None:
    server = serve(greet=hang)
    with at_once(), pytest.raises(NotSent, match="timed out"):
        make_sender(5.0, connect_timeout_seconds=0.1).send(post(f"https://127.0.0.1:{server.port}"))


def test_connecting_that_takes_too_long_means_not_sent(make_sender: MakeSender) -> None:
    with ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # who comes after these is not let in
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        with at_once(), pytest.raises(NotSent, match="timed out"):
            make_sender(5.0, connect_timeout_seconds=0.1).send(post(f"http://127.0.0.1:{listener.getsockname()[1]}"))


@pytest.mark.parametrize(
    "url", ["http://", "ftp://127.0.0.1", "http://127.0.0.1:99999", "http://" + "a" * 70 + ".test"]
)
def test_a_url_that_cannot_be_reached_means_not_sent(sender: Waiting, url: str) -> None:
    with pytest.raises(NotSent):
        sender.send(post(url))


@pytest.mark.parametrize("key", ["secret\nkey", "secret€key"])
def test_a_key_that_no_header_can_hold_means_not_sent_and_is_not_quoted(
    serve: Serve, sender: Waiting, key: str
) -> None:
    server = serve(answer())
    with pytest.raises(NotSent) as caught:
        sender.send(Request(server.url, {"Authorization": key}, b""))
    assert "secret" not in str(caught.value)
    assert server.received == []


def test_nothing_is_sent_after_the_deadline(serve: Serve, make_sender: MakeSender) -> None:
    server, clock = serve(answer()), Clock()

    def dawdle() -> Dialogue[Response]:
        clock.seconds += 6
        return (yield post(server.url))

    with pytest.raises(NotSent, match="timed out"):
        make_sender(5.0, monotonic=clock).hold(dawdle())
    assert server.received == []


# --- it may have arrived ---

HEAD = b"HTTP/1.1 200 OK\r\n"

BROKEN_ANSWERS = {
    "reset after reading": (reset, "connection_lost"),
    "closed without an answer": (hang_up, "connection_lost"),
    "no HTTP": (raw_then_close(b"hello\r\n\r\n"), "unreadable_answer"),
    "a body shorter than it says": (raw_then_close(HEAD + b"Content-Length: 9\r\n\r\nabc"), "unreadable_answer"),
    "a broken chunk": (raw_then_close(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "unreadable_answer"),
    "headers without an end": (raw_then_close(HEAD + b"X: y\r\n" * 200), "unreadable_answer"),
    "an interim answer only": (raw_then_close(b"HTTP/1.1 100 Continue\r\n\r\n"), "connection_lost"),
    "gzip that is none": (answer(200, b"plain", Content_Encoding="gzip"), "unreadable_answer"),
}


@pytest.mark.parametrize("name", BROKEN_ANSWERS)
def test_a_broken_answer_means_that_the_request_may_have_arrived(serve: Serve, sender: Waiting, name: str) -> None:
    act, code = BROKEN_ANSWERS[name]
    server = serve(act)
    with pytest.raises(NoAnswer) as caught:
        sender.send(post(server.url))
    assert caught.value.code == code
    assert len(server.received) == 1


SLOW_ANSWERS = {
    "no answer at all": hang,
    "a status line that drips": drip(b"HTTP/1.1 200 "),
    "headers that drip": drip(HEAD + b"X-Slow: "),
    "a body that drips": drip(HEAD + b"Content-Length: 100000\r\n\r\n"),
    "a body that stops": in_turn(raw(HEAD + b"Content-Length: 10\r\n\r\nabc"), hang),
}


@pytest.mark.parametrize("name", SLOW_ANSWERS)
def test_an_exchange_ends_at_its_deadline_however_slowly_the_answer_comes(
    serve: Serve, make_sender: MakeSender, name: str
) -> None:
    server = serve(SLOW_ANSWERS[name])
    with at_once(), pytest.raises(NoAnswer) as caught:
        make_sender(0.8).send(post(server.url))
    assert caught.value.code == "timed_out"


def test_a_request_that_is_never_read_ends_at_its_deadline_and_may_have_arrived(
    serve: Serve, make_sender: MakeSender
) -> None:
    server = serve(greet=hang)
    with pytest.raises(NoAnswer) as caught:
        make_sender(0.2).send(post(server.url, b"x" * 20_000_000))
    assert caught.value.code == "timed_out"


def test_an_answer_may_take_longer_than_connecting(serve: Serve, make_sender: MakeSender) -> None:
    may_answer = threading.Event()
    server = serve(in_turn(wait_for(may_answer), answer(200)))
    patience = threading.Timer(0.15, may_answer.set)
    patience.start()
    assert make_sender(5.0, connect_timeout_seconds=0.05).send(post(server.url)).status == 200
    patience.join()


def test_a_request_may_take_longer_to_write_than_connecting(serve: Serve, make_sender: MakeSender) -> None:
    may_read = threading.Event()

    def read_late(line: Line) -> None:
        may_read.wait(5)
        while line.conn.recv(1_000_000)[-3:] != b"end":
            pass
        answer(200)(line)

    server = serve(greet=read_late)
    patience = threading.Timer(0.15, may_read.set)
    patience.start()
    sender = make_sender(5.0, connect_timeout_seconds=0.05)
    assert sender.send(post(server.url, b"x" * 20_000_000 + b"end")).status == 200
    patience.join()


@pytest.mark.parametrize("breaks", [reset, hang_up])
def test_a_kept_connection_that_breaks_means_that_the_request_may_have_arrived_and_it_is_sent_once(
    serve: Serve, sender: Waiting, breaks: Act
) -> None:
    server = serve(answer(), breaks, answer())
    sender.send(post(server.url))
    with pytest.raises(NoAnswer) as caught:
        sender.send(post(server.url))
    assert (caught.value.code, len(server.received), server.connections) == ("connection_lost", 2, 1)


def test_a_request_is_not_sent_again_over_another_kept_connection(serve: Serve, sender: Waiting) -> None:
    both_came = threading.Barrier(2)
    meet = in_turn(lambda line: both_came.wait(5) and None, answer())
    server = serve(meet, meet, reset, answer())
    for future in [sender.start(exchange(post(server.url))) for _ in range(2)]:
        future.result(5)
    with pytest.raises(NoAnswer):
        sender.send(post(server.url))
    assert (len(server.received), server.connections) == (3, 2)


def test_an_error_of_one_exchange_says_nothing_of_the_next(serve: Serve, sender: Waiting) -> None:
    server = serve(reset, answer(200, b"fine"))
    with pytest.raises(NoAnswer):
        sender.send(post(server.url))
    with pytest.raises(NotSent):
        sender.send(post(f"http://127.0.0.1:{closed_port()}"))
    assert sender.send(post(server.url)).body == b"fine"


# --- what comes back ---


def test_a_redirect_is_an_answer_and_is_not_followed(serve: Serve, sender: Waiting) -> None:
    server = serve(answer(307, b"", Location="/elsewhere"))
    assert sender.send(post(server.url)).status == 307
    assert len(server.received) == 1


def test_an_answer_that_is_too_long_is_cut_and_its_connection_not_used_again(serve: Serve, sender: Waiting) -> None:
    server = serve(answer(200, b"x" * (MAX_ANSWER_BYTES + 200_000)), answer(200, b"next"))
    assert sender.send(post(server.url)).body == b"x" * MAX_ANSWER_BYTES
    assert sender.send(post(server.url)).body == b"next"
    assert server.connections == 2


def test_an_answer_that_unpacks_to_too_much_is_cut(serve: Serve, sender: Waiting) -> None:
    server = serve(answer(200, gzip.compress(b"x" * 50_000_000), Content_Encoding="gzip"))
    assert len(sender.send(post(server.url)).body) == MAX_ANSWER_BYTES


def test_a_packed_answer_is_unpacked(serve: Serve, sender: Waiting) -> None:
    server = serve(answer(200, gzip.compress(b"{}"), Content_Encoding="gzip"))
    assert sender.send(post(server.url)).body == b"{}"


def test_a_chunked_answer_is_put_together(serve: Serve, sender: Waiting) -> None:
    server = serve(raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"))
    assert [sender.send(post(server.url)).body for _ in range(2)] == [b"abcde", b"abcde"]
    assert server.connections == 1


def test_the_headers_are_those_of_the_answer_and_not_of_an_interim_one(serve: Serve, sender: Waiting) -> None:
    interim = raw(b"HTTP/1.1 100 Continue\r\nRetry-After: 1\r\n\r\n")
    response = sender.send(post(serve(in_turn(interim, answer(429, Retry_After="2"))).url))
    assert (response.status, response.headers["Retry-After"]) == (429, "2")


def test_an_answer_that_ends_with_trailers_is_whole(serve: Serve, sender: Waiting) -> None:
    server = serve(raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"))
    assert sender.send(post(server.url)).body == b"abc"


# --- connections ---


def test_a_connection_is_used_again(serve: Serve, sender: Waiting) -> None:
    server = serve(answer(200, b""))
    for _ in range(3):
        sender.send(post(server.url))
    assert (len(server.received), server.connections) == (3, 1)


@pytest.mark.parametrize(("idle_seconds", "connections"), [(4.9, 1), (5.1, 2)])
def test_a_connection_idle_for_more_than_five_seconds_is_not_used_again(
    serve: Serve, make_sender: MakeSender, idle_seconds: float, connections: int
) -> None:
    server, clock = serve(answer()), Clock()
    sender = make_sender(monotonic=clock)
    sender.send(post(server.url))
    clock.seconds += idle_seconds
    sender.send(post(server.url))
    assert server.connections == connections


def test_a_connection_that_the_server_closed_is_replaced(serve: Serve, sender: Waiting) -> None:
    closed = threading.Event()

    server = serve(in_turn(answer(200, b"one"), hang_up, lambda line: closed.set()), answer(200, b"two"))
    sender.send(post(server.url))
    assert closed.wait(5)
    assert sender.send(post(server.url)).body == b"two"


def test_a_connection_on_which_the_server_spoke_unasked_is_replaced(serve: Serve, sender: Waiting) -> None:
    may_speak, spoke = threading.Event(), threading.Event()
    unasked = raw(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    speak = in_turn(answer(200, b"one"), wait_for(may_speak), unasked, lambda line: spoke.set())
    server = serve(speak, answer(200, b"two"))
    sender.send(post(server.url))
    may_speak.set()
    assert spoke.wait(5)
    assert sender.send(post(server.url)).body == b"two"
    assert (len(server.received), server.connections) == (2, 2)


def test_cookies_are_not_kept(serve: Serve, sender: Waiting) -> None:
    server = serve(answer(200, b"", Set_Cookie="session=1; Path=/"))
    for _ in range(2):
        sender.send(post(server.url))
    assert all("cookie" not in received.headers for received in server.received)


def test_proxies_of_the_environment_are_not_used(
    serve: Serve, sender: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    assert sender.send(post(serve(answer(200, b"direct")).url)).body == b"direct"


# --- TLS ---


def test_a_certificate_that_nobody_vouches_for_means_not_sent(serve: Serve, sender: Waiting, certificate: Path) -> None:
    server = serve(answer(), tls=tls_with(certificate))
    with pytest.raises(NotSent, match=r"(?i)certificate"):
        sender.send(post(server.url))
    assert server.received == []


def test_tls_connections_are_kept_and_renewed_as_plain_ones(
    serve: Serve, make_sender: MakeSender, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))
    server, clock = serve(answer(200, b"private"), tls=tls_with(certificate)), Clock()
    sender = make_sender(monotonic=clock)
    assert [sender.send(post(server.url)).body for _ in range(2)] == [b"private"] * 2
    clock.seconds += 6
    sender.send(post(server.url))
    assert server.connections == 2


@pytest.mark.parametrize(("act", "code"), [(reset, "connection_lost"), (drip(HEAD), "timed_out")])
def test_after_the_handshake_the_request_may_have_arrived(
    serve: Serve, make_sender: MakeSender, certificate: Path, monkeypatch: pytest.MonkeyPatch, act: Act, code: str
) -> None:
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))
    server = serve(act, tls=tls_with(certificate))
    with pytest.raises(NoAnswer) as caught:
        make_sender(0.3).send(post(server.url))
    assert caught.value.code == code
