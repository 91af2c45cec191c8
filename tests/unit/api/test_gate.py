"""The gate: as many requests as have a place hold their threads for long, and every place comes back."""

import threading
from collections.abc import Iterator
from functools import partial

import pytest
from flask import Response

from app.api.gate import Gate
from app.errors import TooManyAtOnce


def parts() -> Iterator[bytes]:
    yield b"one"
    yield b"two"


def stream() -> Response:
    return Response(parts())


def is_full(gate: Gate) -> bool:
    try:
        gate.let_in(Response)
    except TooManyAtOnce:
        return True
    return False


def of(places: int) -> Gate:
    return Gate(threading.BoundedSemaphore(places))


def test_who_comes_when_all_places_are_taken_is_not_let_in() -> None:
    gate = of(3)
    kept = [gate.let_in(stream) for _ in range(3)]
    assert is_full(gate)
    for response in kept:
        response.close()
    assert not is_full(gate)


def test_what_is_answered_at_once_gives_its_place_back_at_once() -> None:
    gate = of(1)
    for _ in range(3):
        assert gate.let_in(partial(Response, b"short")).data == b"short"


def test_a_stream_keeps_its_place_until_it_is_written() -> None:
    gate = of(1)
    written = iter(gate.let_in(stream).response)
    assert next(written) == b"one"
    assert is_full(gate)
    assert list(written) == [b"two"]
    assert not is_full(gate)


def test_a_place_that_is_given_back_twice_is_one_place() -> None:
    gate = of(1)
    response = gate.let_in(stream)
    assert response.data == b"onetwo"
    response.close()
    response.close()
    kept = gate.let_in(stream)
    assert is_full(gate)
    kept.close()


def test_a_request_that_fails_gives_its_place_back() -> None:
    gate = of(1)

    def failing() -> Response:
        raise ValueError

    for _ in range(3):
        with pytest.raises(ValueError, match=r"^$"):
            gate.let_in(failing)


def test_a_stream_that_breaks_gives_its_place_back() -> None:
    gate = of(1)

    def broken() -> Iterator[bytes]:
        yield b"one"
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        list(gate.let_in(lambda: Response(broken())).response)
    assert not is_full(gate)
