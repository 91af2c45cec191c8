"""Canonical JSON: one spelling of each value, the one that RFC 8785 says."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import canonicaljson

# RFC 8785, appendix B, by the bits of the number; those of NaN and the infinities are no JSON.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


@pytest.mark.parametrize("bits", NUMBERS)
def test_a_number_is_written_as_the_rfc_says(bits: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonicaljson.dumps(value) == NUMBERS[bits]


def test_text_is_escaped_only_where_it_must_be() -> None:
    # RFC 8785, section 3.2.2, and one letter that some would escape.
    text = "\u20ac$\u000f\nA'\u0042\u0022\u005c\\\"/\u2028"
    assert canonicaljson.dumps(text) == '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\u2028"'


def test_members_are_sorted_by_utf_16_code_units() -> None:
    # RFC 8785, section 3.2.3: by code points the last two would change places.
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    written = canonicaljson.dumps(dict.fromkeys(names, 0))
    assert list(json.loads(written)) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_everything_nests_and_nothing_is_spaced() -> None:
    value = {"b": [1, 2.0, None, True, {}], "a": {"z": "", "y": []}}
    assert canonicaljson.dumps(value) == '{"a":{"y":[],"z":""},"b":[1,2,null,true,{}]}'


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(-(2**53), 2**53) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(VALUES)
def test_what_is_written_reads_as_it_was(value: object) -> None:
    written = canonicaljson.dumps(value)
    assert json.loads(written) == value
    assert canonicaljson.dumps(json.loads(written)) == written
