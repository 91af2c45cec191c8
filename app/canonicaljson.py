"""JSON as RFC 8785 canonicalizes it (JCS): one spelling of each value, so that its hash can be had in any language."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal


def dumps(value: object) -> str:
    """One line without white space: members in the order of their names' UTF-16 code units, numbers as ECMAScript has
    them, text unescaped where it may be.

    `value` is what JSON can hold; integers are written with all their digits, however many.
    """
    if isinstance(value, Mapping):
        names = sorted(value, key=lambda name: str(name).encode("utf-16-be"))
        return "{" + ",".join(f"{_text(name)}:{dumps(value[name])}" for name in names) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(map(dumps, value)) + "]"
    return _number(value) if isinstance(value, float) else _text(value)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    """Python and ECMAScript find the same shortest digits, and write them differently (ECMA-262, Number::toString)."""
    if not value:
        return "0"
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(repr(value)).normalize(), "f")
    digits, _, exponent = repr(value).partition("e")
    return f"{digits}e{int(exponent):+d}"
