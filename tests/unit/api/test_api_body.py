"""A body is read to its end, hashed and bounded before anything is decided about it."""

import io

import pytest
from werkzeug.exceptions import UnsupportedMediaType

from app.api.body import JSON, NDJSON, Line, lines, received
from app.errors import InputTooLarge, InvalidInput
from tests.unit.api.submitted import make_request


def sha256(body: bytes = b"{}", media_type: str = JSON, query: str = "", path: str = "/api/batches") -> str:
    with received(make_request(body, media_type, query, path), {JSON: 100, NDJSON: 100}) as arrived:
        return arrived.sha256


def test_a_body_is_read_as_it_came() -> None:
    with received(make_request(b'{"a": [1]}', JSON), {JSON: 100}) as body:
        assert body.json() == {"a": [1]}


def test_a_byte_order_mark_before_json_is_left_out() -> None:
    with received(make_request(b"\xef\xbb\xbf[]", JSON), {JSON: 100}) as body:
        assert body.json() == []


def test_a_body_of_the_limit_is_taken_and_one_byte_more_is_not() -> None:
    with received(make_request(b"x" * 10, JSON), {JSON: 10}) as body:
        assert body.file.read() == b"x" * 10
    with pytest.raises(InputTooLarge), received(make_request(b"x" * 11, JSON), {JSON: 10}):
        pass


def test_a_body_of_undeclared_length_is_cut_off_at_the_limit() -> None:
    request = make_request(b"", JSON)
    request.environ.update(
        {"wsgi.input": io.BytesIO(b"x" * 11), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    )
    with pytest.raises(InputTooLarge), received(request, {JSON: 10}):
        pass


def test_a_document_that_is_too_large_is_told_how_it_could_come_instead() -> None:
    limits = {JSON: 10, NDJSON: 100}
    with received(make_request(b"x" * 11, NDJSON), limits) as body:
        assert body.file.read() == b"x" * 11
    with (
        pytest.raises(InputTooLarge, match=r"larger than 10 bytes\. As application/x-ndjson it may have 100\."),
        received(make_request(b"x" * 11, JSON), limits),
    ):
        pass


@pytest.mark.parametrize("media_type", ["text/plain", "application/jsonx", "multipart/form-data; boundary=x", None])
def test_another_content_type_is_refused_by_name(media_type: str | None) -> None:
    with (
        pytest.raises(UnsupportedMediaType, match="application/json or application/x-ndjson"),
        received(make_request(b"{}", media_type), {JSON: 100, NDJSON: 100}),
    ):
        pass


def test_a_compressed_body_is_refused() -> None:
    request = make_request(b"{}", JSON)
    request.environ["HTTP_CONTENT_ENCODING"] = "gzip"
    with pytest.raises(UnsupportedMediaType, match="gzip"), received(request, {JSON: 100}):
        pass


def test_no_body_at_all_needs_no_content_type() -> None:
    with received(make_request(b"", None), {JSON: 100}) as body:
        assert body.json(default={}) == {}


def test_an_empty_body_is_no_json_where_one_is_needed() -> None:
    with received(make_request(b"", JSON), {JSON: 100}) as body, pytest.raises(InvalidInput, match="Not valid JSON"):
        body.json()


def test_the_same_request_has_the_same_hash_whatever_its_charset_and_the_order_of_its_query() -> None:
    assert sha256(query="a=1&b=2") == sha256(query="b=2&a=1", media_type=f"{JSON}; charset=utf-8")


def test_another_body_media_type_query_or_path_has_another_hash() -> None:
    others = [sha256(b"[]"), sha256(media_type=NDJSON), sha256(query="a=1"), sha256(path="/api/jobs")]
    assert len({sha256(), *others}) == 5


def read_lines(content: bytes, limit: int = 5) -> list[Line]:
    return list(lines(io.BytesIO(content), limit))


def test_lines_keep_the_numbers_that_they_have_in_the_file() -> None:
    assert read_lines(b"\xef\xbb\xbf1\r\n\n  \r\n2\n\n3") == [Line(1, 1, b"1"), Line(4, 1, b"2"), Line(6, 1, b"3")]


def test_a_line_of_the_limit_is_taken_with_any_line_end() -> None:
    assert [line.content for line in read_lines(b"\xef\xbb\xbf12345\r\n12345\n12345")] == [b"12345"] * 3


def test_a_line_beyond_the_limit_is_read_past_and_its_size_told() -> None:
    long = b"x" * 200_000
    assert read_lines(b"1\n" + long + b"\r\n2\n" + long) == [
        Line(1, 1, b"1"),
        Line(2, 200_000, None),
        Line(3, 1, b"2"),
        Line(4, 200_000, None),
    ]
