"""Flask under ASGI: bodies come whole or not at all, answers go whole, and slow clients hold nothing up."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from flask import Flask, Response, request

from app.api import asgi, bridge
from app.api.bridge import Bridge
from tests.asgi import GONE, Answer, arriving, call

MOST = 1000


@pytest.fixture
def flask() -> Flask:
    """It tells what it was asked."""
    app = Flask("of-the-test")

    @app.route("/<name>", methods=["GET", "POST"])
    def told(name: str) -> Response:
        body = request.stream.read()
        said = f"{request.method} {name} {request.query_string.decode()} {len(body)} {body[:20].decode()}"
        return Response(said, 201, {"X-Asked": request.headers.get("X-Ask", "")})

    return app


def ask(flask: Flask, *bodies: bytes, target: str = "POST /x", headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return call(Bridge(flask, 2, MOST), target, arriving(*bodies), headers=headers)


def test_what_flask_answers_is_what_arrives(flask: Flask) -> None:
    answer = ask(flask, b"hello", target="POST /door?a=1&b=%20", headers=(("X-Ask", "yes"), ("Content-Length", "5")))
    assert (answer.status, answer.body) == (201, b"POST door a=1&b=%20 5 hello")
    assert (answer.headers["x-asked"], answer.is_whole) == ("yes", True)


def test_a_body_without_a_length_is_read_to_its_end(flask: Flask) -> None:
    answer = ask(flask, b"one ", b"two ", b"three", headers=(("Transfer-Encoding", "chunked"),))
    assert answer.body.endswith(b" 13 one two three")


def test_no_more_of_a_body_is_kept_than_may_be_read(flask: Flask) -> None:
    assert ask(flask, b"x" * 900, b"y" * 900).body.endswith(b" 1000 " + b"x" * 20)


def test_flask_hears_of_a_request_only_when_its_body_is_whole(flask: Flask) -> None:
    asked: list[str] = []
    flask.before_request(lambda: asked.append(request.path))
    answer = call(Bridge(flask, 2, MOST), "POST /x", [*arriving(b"half", b"the rest")[:1], GONE])
    assert (answer.status, asked) == (None, [])


def test_a_client_that_is_silent_for_too_long_is_given_up(flask: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "PATIENCE_SECONDS", 0.01)
    asked: list[str] = []
    flask.before_request(lambda: asked.append(request.path))
    answer = call(Bridge(flask, 2, MOST), "POST /x", arriving(b"half", b"the rest")[:1])
    assert (answer.status, asked) == (None, [])


def test_a_large_body_comes_through_unchanged(flask: Flask) -> None:
    @flask.post("/echo")
    def echo() -> Response:
        return Response(request.stream.read())

    body = bytes(range(256)) * 4096
    answer = call(Bridge(flask, 2, len(body)), "POST /echo", arriving(body[:300_000], body[300_000:]))
    assert (answer.status, answer.body == body, answer.is_whole) == (200, True, True)


def test_an_answer_is_written_to_its_end_before_a_slow_client_has_read_it(flask: Flask) -> None:
    is_written = threading.Event()

    @flask.get("/stream")
    def stream() -> Response:
        def lines() -> Iterator[bytes]:
            for _ in range(100):
                yield b"x" * 10_000
            is_written.set()

        return Response(lines())

    async def read_when_it_is_written(_: bytes) -> None:
        assert await asyncio.to_thread(is_written.wait, 20)

    answer = call(Bridge(flask, 1, MOST), "GET /stream", arriving(b""), read=read_when_it_is_written)
    assert (answer.status, len(answer.body), answer.is_whole) == (200, 1_000_000, True)


def test_a_client_that_stops_reading_gets_no_more(flask: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "PATIENCE_SECONDS", 0.01)

    async def never(_: bytes) -> None:
        await asyncio.Event().wait()

    answer = call(Bridge(flask, 1, MOST), "GET /x", arriving(b""), read=never)
    assert (answer.status, answer.body, answer.is_whole) == (201, b"", False)


def test_an_answer_that_breaks_off_is_not_called_whole(flask: Flask) -> None:
    @flask.get("/broken")
    def broken() -> Response:
        def lines() -> Iterator[bytes]:
            yield b"one line"
            raise ValueError("of the test")

        return Response(lines())

    seen: list[bytes] = []

    async def read(piece: bytes) -> None:
        seen.append(piece)

    with pytest.raises(ValueError, match="of the test"):
        call(Bridge(flask, 1, MOST), "GET /broken", arriving(b""), read=read)
    assert b"".join(seen) in (b"", b"one line")


def test_whoever_works_for_a_client_can_see_that_it_has_gone(flask: Flask) -> None:
    seen: list[bool] = []

    @flask.get("/wait")
    def wait() -> Response:
        seen.append(request.environ["asgi.scope"][bridge.DISCONNECTED].wait(10))
        return Response("too late")

    call(Bridge(flask, 2, MOST), "GET /wait", [*arriving(b""), GONE])
    assert seen == [True]
