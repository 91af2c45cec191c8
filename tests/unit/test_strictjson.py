"""Reading JSON: what can't be stored or held is refused with a pointer, the rest comes through as it was."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import InvalidInput
from app.strictjson import escape, loads

NOT_JSON: dict[str, bytes | str] = {
    "nothing": b"",
    "blanks": b" \n\t ",
    "an open object": b'{"a": 1',
    "an open text": b'"abc',
    "two documents": b"{} {}",
    "a comma too many": b"[1,]",
    "single quotes": b"{'a': 1}",
    "a key without quotes": b"{a: 1}",
    "a comment": b"// a\n1",
    "a control character": b'"\t"',
    "hexadecimal": b"0x10",
    "a leading zero": b"01",
    "a plus": b"+1",
    "a point without digits": b"1.",
    "Python's None": b"None",
    "HTML": b"<html></html>",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "no UTF-8": b'"\xff\xfe"',
    "an overlong form": b'"\xc0\x80"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "a lone high surrogate": rb'"\ud800"',
    "a lone low surrogate": rb'"\udc00"',
    "a surrogate before a letter": rb'"\ud800a"',
    "two high surrogates": rb'"\ud800\ud800"',
    "a lone surrogate in a key": rb'{"\ud800": 1}',
    "a nested lone surrogate": rb'{"a": [{"b": "\udfff"}]}',
    "NaN": b"NaN",
    "nested NaN": b'{"a": [NaN]}',
    "Infinity": b"Infinity",
    "nested -Infinity": b'{"a": {"b": -Infinity}}',
    "nested 100 thousand deep": b"[" * 100_000,
    "objects nested 100 thousand deep": b'{"a":' * 100_000,
    "closed and still too deep": b"[" * 5000 + b"]" * 5000,
    "a number of 5,000 digits": b"9" * 5000,
    "a negative one": b"-" + b"9" * 5000,
    "a nested one": b'{"a": [' + b"9" * 5000 + b"]}",
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="Not valid JSON") as caught:
        loads(body)
    assert len(caught.value.problems) == 1
    assert len(str(caught.value)) < 200


def test_text_with_a_lone_surrogate_is_refused_like_any_other() -> None:
    with pytest.raises(InvalidInput, match="Not valid JSON"):
        loads('"\ud800"')


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"1e999", ""),
        (b"-1e999", ""),
        (b"[1e999]", "/0"),
        (b'{"a": {"b": [0, 1e400]}}', "/a/b/1"),
        (b'{"a/b~c": 1e999}', "/a~1b~0c"),
        (b'{"": 1e999}', "/"),
        (b"9" * 400 + b".0", ""),
    ],
)
def test_a_number_that_is_not_finite_is_refused_where_it_stands(body: bytes, pointer: str) -> None:
    with pytest.raises(InvalidInput, match="finite") as caught:
        loads(body)
    assert caught.value.problems[0].pointer == pointer


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (rb'"\u0000"', ""),
        (rb'["a", "b\u0000c"]', "/1"),
        (rb'{"a": {"b": ["\u0000"]}}', "/a/b/0"),
        (rb'{"\u0000": 1}', ""),
        (rb'{"a": {"b\u0000": 1}}', "/a"),
    ],
)
def test_a_null_character_is_refused_where_it_stands(body: bytes, pointer: str) -> None:
    with pytest.raises(InvalidInput, match=r"U\+0000") as caught:
        loads(body)
    assert caught.value.problems[0].pointer == pointer


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"null", None),
        (b" [1, -2.5, true, false, null] ", [1, -2.5, True, False, None]),
        (b"0", 0),
        (b"1e-999", 0.0),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        ('"日本語 ß 😀"'.encode(), "日本語 ß 😀"),
        (rb'"\\u0000"', "\\u0000"),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"[" * 100 + b"]" * 100, json.loads("[" * 100 + "]" * 100)),
    ],
)
def test_what_can_be_held_comes_through(body: bytes, value: object) -> None:
    assert loads(body) == value
    assert loads(body.decode()) == value


STORABLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.sampled_from("ab~/é")), inner),
    max_leaves=20,
)


@settings(deadline=None)
@given(STORABLE)
def test_what_is_written_is_read(value: object) -> None:
    assert loads(json.dumps(value)) == value


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_bytes_are_read_or_refused(body: bytes) -> None:
    value: object = None
    with suppress(InvalidInput):
        value = loads(body)
    assert json.loads(json.dumps(value)) == value


def test_a_part_of_a_pointer_is_escaped() -> None:
    assert escape("a/b~c") == "a~1b~0c"
