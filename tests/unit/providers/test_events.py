"""Server-sent events, in pieces that end anywhere."""

from typing import Any

import pytest

from app.providers.events import Arriving, chunks

STREAM = 'data: {"n": 1}\n\n: a comment\n\ndata: {"n":\ndata: "é"}\n\ndata: [DONE]\n\n'
FOUND: list[Any] = [{"n": 1}, {"n": "é"}, None]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_given_back_whole_however_they_arrive(end: str, size: int) -> None:
    body = STREAM.replace("\n", end).encode()
    arriving = Arriving()
    found = [arriving.add(body[start : start + size]) for start in range(0, len(body), size)]
    assert b"".join(found) == body
    assert [chunk for whole in found for chunk in chunks(whole)] == FOUND


def test_what_is_begun_is_kept_back() -> None:
    arriving = Arriving()
    assert arriving.add(b'data: {"n": 1}\n') == b""
    assert arriving.add(b'\ndata: {"n"') == b'data: {"n": 1}\n\n'
    assert arriving.add(b": 2}") == b""
