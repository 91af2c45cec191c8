"""Sending a webhook: to an address that was looked at, once, within its time, and whatever comes back is told."""

import socket
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.outbound.addresses import Guard
from app.outbound.connections import MAX_ANSWER_BYTES
from app.outbound.webhooks import GuardedSender, Message, Reply
from tests.certificates import certificate_for
from tests.unit.providers.conftest import Serve
from tests.unit.providers.servers import (
    Line,
    Server,
    answer,
    drip,
    hang,
    hang_up,
    raw,
    raw_then_close,
    reset,
    tls_with,
)

BODY = b'{"type":"batch.completed"}'
HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity", "webhook-id": "evt_1"}


class Names:
    """A resolver that has these answers, one after the other, the last for ever, and counts the questions."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers, self.asked = answers, 0

    def __call__(self, host: str, port: int) -> Sequence[str]:
        del host, port
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


def send(url: str, *, timeout_seconds: float = 5.0, resolve: Names | None = None) -> Reply:
    guard = Guard(allows_loopback=True, resolve=resolve or Names(["127.0.0.1"]))
    return GuardedSender(guard, timeout_seconds).send(Message(url, HEADERS, BODY))


@pytest.fixture
def named_certificate(tmp_path: Path) -> Path:
    """A certificate for hooks.example.org that vouches for itself, with its key in the same file."""
    return certificate_for("DNS:hooks.example.org", tmp_path / "named.pem")


def test_it_is_posted_with_its_headers_and_its_body(serve: Serve) -> None:
    server = serve(answer(204, b""))
    reply = send(f"{server.url}/hooks/in?key=1")
    (request,) = server.received
    assert (reply.status, reply.error) == (204, None)
    assert (request.method, request.path, request.body) == ("POST", "/hooks/in?key=1", BODY)
    assert {name: request.headers[name.lower()] for name in HEADERS} == HEADERS


def test_the_heads_of_both_are_told_without_the_bodies(serve: Serve) -> None:
    reply = send(f"{serve(answer(500, b'what went wrong here', Retry_After='7')).url}/in")
    assert reply.request_head.startswith("POST /in HTTP/1.1\n")
    assert "webhook-id: evt_1" in reply.request_head
    assert reply.response_head is not None
    assert reply.response_head.startswith("HTTP/1.1 500 Internal Server Error\n")
    assert "went wrong" not in reply.response_head
    assert reply.retry_after == "7"


@pytest.mark.parametrize("status", [200, 201, 299, 301, 302, 307, 308, 400, 410, 429, 503])
def test_every_answer_is_told_and_no_redirect_is_followed(serve: Serve, status: int) -> None:
    elsewhere = serve(answer(200))
    assert send(serve(answer(status, Location=f"{elsewhere.url}/")).url).status == status
    assert elsewhere.received == []


@pytest.mark.parametrize(
    ("act", "words"),
    [(hang_up, "RemoteDisconnected"), (reset, "ConnectionResetError"), (raw(b"SSH-2.0\r\n\r\n"), "BadStatusLine")],
)
def test_no_answer_is_told_in_words(serve: Serve, act: object, words: str) -> None:
    server = serve(act)
    reply = send(server.url)
    assert (reply.status, str(reply.error).partition(":")[0]) == (None, words)
    assert len(server.received) == 1, "sent twice"


def test_nobody_there_is_told_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert str(send(f"http://127.0.0.1:{port}/").error).startswith("ConnectionRefusedError")


@pytest.mark.parametrize("act", [hang, drip(b"HTTP/1.1 200 OK\r\nX-Slow: ")])
def test_an_answer_that_does_not_come_in_time_is_none(serve: Serve, act: object) -> None:
    began_at = time.monotonic()
    reply = send(serve(act).url, timeout_seconds=0.3)
    assert (reply.status, str(reply.error)) == (None, "TimeoutError: timed out")
    assert time.monotonic() - began_at < 2


def test_a_body_that_drips_for_ever_holds_nobody_up_and_its_status_counts(serve: Serve) -> None:
    began_at = time.monotonic()
    assert send(serve(drip(b"HTTP/1.1 200 OK\r\n\r\n")).url, timeout_seconds=0.3).status == 200
    assert time.monotonic() - began_at < 2


class Flood:
    """Answers and then sends on for as long as anybody reads; `sent` counts it."""

    def __init__(self, start: bytes) -> None:
        self._start, self.sent = start, 0

    def __call__(self, line: Line) -> None:
        line.send(self._start)
        while not line.stopping.is_set():
            line.send(b"x" * 4096)
            self.sent += 4096


def test_no_more_than_64_kb_of_an_answer_is_read_head_and_all(serve: Serve) -> None:
    of_body = Flood(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    assert send(serve(of_body).url).status == 200
    of_head = Flood(b"HTTP/1.1 200 OK\r\nX-Long: ")
    assert send(serve(of_head).url).status in (200, None)
    # What lies in the buffers between is not read either.
    assert of_body.sent < 100 * MAX_ANSWER_BYTES
    assert of_head.sent < 100 * MAX_ANSWER_BYTES


def test_a_compressed_body_is_not_unpacked(serve: Serve) -> None:
    assert send(serve(answer(200, b"no gzip at all", Content_Encoding="gzip")).url).status == 200


# --- where it goes ---


def test_what_was_looked_at_is_what_is_connected_to(serve: Serve) -> None:
    server, names = serve(answer(200)), Names(["127.0.0.1"], ["10.0.0.1"])
    assert send(f"http://localhost:{server.port}/", resolve=names).status == 200
    assert names.asked == 1, "the name was asked for again, and may have another answer by then"


def test_the_next_address_is_taken_if_the_first_takes_nothing(serve: Serve) -> None:
    server = serve(answer(200))
    assert send(f"http://localhost:{server.port}/", resolve=Names(["127.0.0.2", "127.0.0.1"])).status == 200


def test_it_is_looked_at_anew_for_each_send(serve: Serve) -> None:
    server, names = serve(answer(200)), Names(["127.0.0.1"], ["10.0.0.1"])
    sender = GuardedSender(Guard(allows_loopback=True, resolve=names))
    message = Message(f"http://localhost:{server.port}/", HEADERS, BODY)
    assert sender.send(message).status == 200
    assert str(sender.send(message).error) == "AddressRefused: the name leads to a private address"
    assert len(server.received) == 1


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "64:ff9b::7f00:1", "::ffff:127.0.0.1"])
def test_nothing_is_sent_where_it_must_not_go(serve: Serve, address: str) -> None:
    server = serve(answer(200))
    guard = Guard(resolve=Names(["8.8.8.8", address]))
    reply = GuardedSender(guard).send(Message(f"https://hooks.example.org:{server.port}/", HEADERS, BODY))
    assert str(reply.error).startswith("AddressRefused: ")
    assert server.connections == 0


def test_loopback_is_refused_without_leave_whatever_was_stored_before(serve: Serve) -> None:
    server = serve(answer(200))
    reply = GuardedSender(Guard()).send(Message(server.url, HEADERS, BODY))
    assert (reply.status, reply.error) == (None, "It must be https.")
    assert server.connections == 0


def test_the_proxy_of_the_environment_is_not_asked(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, server = serve(answer(200)), serve(answer(204, b""))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    assert send(server.url).status == 204
    assert proxy.connections == 0


# --- TLS ---


def over_tls(server: Server, host: str, trusted: Path | None) -> Reply:
    guard = Guard(allows_loopback=True, resolve=Names(["127.0.0.1"]))
    sender = GuardedSender(guard, trusted=None if trusted is None else str(trusted))
    return sender.send(Message(f"https://{host}:{server.port}/", HEADERS, BODY))


def test_the_certificate_is_held_against_the_name_and_not_the_address(serve: Serve, named_certificate: Path) -> None:
    server = serve(answer(200), tls=tls_with(named_certificate))
    assert over_tls(server, "hooks.example.org", named_certificate).status == 200
    refused = over_tls(server, "others.example.org", named_certificate)
    assert (refused.status, "CERTIFICATE_VERIFY_FAILED" in str(refused.error)) == (None, True)
    assert len(server.received) == 1


def test_a_certificate_that_nobody_trusts_is_refused(serve: Serve, named_certificate: Path) -> None:
    server = serve(answer(200), tls=tls_with(named_certificate))
    assert "CERTIFICATE_VERIFY_FAILED" in str(over_tls(server, "hooks.example.org", None).error)
    assert server.received == []


def test_plain_http_where_tls_is_wanted_is_no_answer(serve: Serve) -> None:
    server = serve(greet=raw_then_close(b"HTTP/1.1 200 OK\r\n\r\n"))
    assert over_tls(server, "hooks.example.org", None).status is None
