"""Asking for an echo: only this installation's proof will do, and whatever comes instead is said in words."""

import re
import socket
from pathlib import Path

import pytest

from app.outbound.echoes import Outside
from tests.unit.providers.conftest import Serve
from tests.unit.providers.servers import Act, answer, drip, hang, hang_up, raw, says, tls_with

PROOF = "the-proof-of-this-installation"


@pytest.fixture
def outside() -> Outside:
    return Outside()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_the_right_proof_is_an_echo(serve: Serve, outside: Outside) -> None:
    server = serve(says({"proof": PROOF}))
    assert outside.ask(f"{server.url}/callbacks/echo/question", PROOF) is None
    (request,) = server.received
    assert (request.method, request.path) == ("GET", "/callbacks/echo/question")


def test_each_echo_has_a_connection_of_its_own(serve: Serve, outside: Outside) -> None:
    server = serve(says({"proof": PROOF}))
    assert [outside.ask(server.url, PROOF) for _ in range(3)] == [None] * 3
    assert server.connections == 3


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (says({"proof": "of another installation"}), "HTTP 200 without this installation's proof"),
        (says({"proof": None}), "HTTP 200 without this installation's proof"),
        (says({"proof": "\u00fc"}), "HTTP 200 without this installation's proof"),
        (says([PROOF]), "HTTP 200 without this installation's proof"),
        (answer(200, b"<html>Welcome to the hotel. " + PROOF.encode()), "HTTP 200 without this installation's proof"),
        (answer(200, b"\xff"), "HTTP 200 without this installation's proof"),
        (says({"proof": PROOF}, 404), "HTTP 404: something else answers there, or .* HIVEBATCH_SECRET_KEY"),
        (says({"proof": PROOF}, 201), "HTTP 201"),
        (answer(502, b"Bad Gateway"), "HTTP 502"),
        (hang_up, "RemoteDisconnected"),
        (raw(b"SSH-2.0-OpenSSH\r\n\r\n"), "BadStatusLine"),
    ],
)
def test_any_other_answer_is_none_and_is_told(serve: Serve, outside: Outside, act: Act, words: str) -> None:
    told = outside.ask(serve(act).url, PROOF)
    assert told is not None
    assert re.match(words, told), told


def test_a_redirect_is_told_without_its_path_and_not_followed(serve: Serve, outside: Outside) -> None:
    right = serve(says({"proof": PROOF}))
    server = serve(answer(302, Location=f"{right.url}/callbacks/echo/question"))
    assert outside.ask(f"{server.url}/callbacks/echo/question", PROOF) == (
        "HTTP 302: it redirects to http://127.0.0.1, and a callback is not sent on"
    )
    assert right.received == []


def test_a_redirect_to_nowhere_is_told_too(serve: Serve, outside: Outside) -> None:
    told = outside.ask(serve(answer(308, Location="/login?next=question")).url, PROOF)
    assert told == "HTTP 308: it redirects to another path, and a callback is not sent on"


def test_a_port_where_nobody_listens_is_told(outside: Outside) -> None:
    assert "Connection refused" in str(outside.ask(f"http://127.0.0.1:{closed_port()}/", PROOF))


def test_a_name_that_does_not_exist_is_told(outside: Outside) -> None:
    assert "gaierror" in str(outside.ask("http://nobody.invalid/", PROOF))


def test_a_certificate_that_nobody_vouches_for_is_told(serve: Serve, outside: Outside, certificate: Path) -> None:
    server = serve(says({"proof": PROOF}), tls=tls_with(certificate))
    assert "CERTIFICATE_VERIFY_FAILED" in str(outside.ask(server.url, PROOF))
    assert server.received == []


@pytest.mark.parametrize("act", [hang, drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")])
def test_who_does_not_answer_in_time_is_told(serve: Serve, act: Act) -> None:
    hasty = Outside(timeout_seconds=0.2)
    assert "timed out" in str(hasty.ask(serve(act).url, PROOF))


def test_no_proxy_of_the_environment_is_asked(serve: Serve, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    assert outside.ask(serve(says({"proof": PROOF})).url, PROOF) is None
