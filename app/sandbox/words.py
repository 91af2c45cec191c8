"""How switches are written and read: the vocabulary, switch sets and directives.

A switch set is words: `status=429 retry_after=1`. The same words serve in a prompt
(`[[sandbox lost times=1]]`), in `POST /sandbox/next` and in the weights of a profile.
"""

import re
from collections.abc import Callable
from typing import Any

from app.sandbox.switches import CALM, Switches, name_of

DIRECTIVE = re.compile(r"\[\[sandbox\b([^\[\]]*)\]\]")
OPENING = re.compile(r"\[\[\s*sandbox", re.IGNORECASE)


class FaultError(ValueError):
    """A switch set can't be read, or its words contradict each other."""


def directives_of(prompt: str) -> list[Switches]:
    """Read every `[[sandbox ...]]` of a prompt, in order.

    Raises:
        FaultError: a directive isn't closed, is empty, or has words that don't exist or don't fit together.
    """
    found = [match.group(1) for match in DIRECTIVE.finditer(prompt)]
    if len(found) != len(OPENING.findall(prompt)):
        raise FaultError("a sandbox directive must be written [[sandbox word word=value]]")
    return [parse_switches(words) for words in found]


def for_submission(directives: list[Switches], number: int) -> Switches:
    """Pick the directive for the `number`th submission (from 1) of a prompt.

    Several directives are a script: `[[sandbox status=503 times=1]] [[sandbox lost times=1]]` refuses
    the first submission, loses the second one's callback and serves the third.
    """
    for switches in directives:
        if switches.times is None or number <= switches.times:
            return switches
        number -= switches.times
    return CALM


def parse_switches(text: str) -> Switches:
    """Read a switch set from its words.

    Raises:
        FaultError: names the words that don't exist, the value that doesn't fit, or the words that contradict.
    """
    tokens = text.split()
    unknown = [token for token in tokens if name_of(token) not in FLAGS and name_of(token) not in VALUES]
    if unknown or not tokens:
        raise FaultError(f"unknown sandbox words: {', '.join(unknown)}" if unknown else "no sandbox words given")
    values = {name_of(token): _value(token) for token in tokens}
    if len(values) != len(tokens):
        raise FaultError(f"a sandbox word is given twice: {text.strip()}")
    _check(values)
    return Switches(words=tuple(token for token in tokens if name_of(token) != "times"), **values)


def _value(token: str) -> Any:
    name, equals, written = token.partition("=")
    if name in FLAGS:
        if equals:
            raise FaultError(f"{name} takes no value: {token}")
        return True
    try:
        return VALUES[name](written)
    except ValueError as error:
        raise FaultError(f"{token}: {error}") from error


def _check(values: dict[str, Any]) -> None:
    for name, partners in NEEDS.items():
        if name in values and not partners & values.keys():
            raise FaultError(f"{name} needs {' or '.join(sorted(partners))}")
    for group in CLASHES:
        if len(group & values.keys()) > 1:
            raise FaultError(f"{' and '.join(sorted(group & values.keys()))} contradict each other")
    is_refusal = values.keys() & {"status", "return_code"} and "booked" not in values
    if is_refusal and values.keys() - FIT_A_REFUSAL:
        without_effect = ", ".join(sorted(values.keys() - FIT_A_REFUSAL))
        raise FaultError(f"{without_effect}: no effect on a refused submit (booked makes it an accepted one)")


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(written: str) -> str:
        if written not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return written

    return read


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def read(written: str) -> int:
        if not (written.isascii() and written.isdigit() and lowest <= int(written) <= highest):
            raise ValueError(f"must be a whole number from {lowest} to {highest}")
        return int(written)

    return read


def _seconds(written: str) -> float:
    if not re.fullmatch(r"\d{1,4}(\.\d{1,3})?", written, re.ASCII):
        raise ValueError("must be seconds, such as 3 or 0.5")
    return float(written)


def _code(written: str) -> str:
    if not re.fullmatch(r"\w{1,40}", written, re.ASCII):
        raise ValueError("must be a code, such as 5")
    return written


FLAGS = frozenset(name for name, kind in Switches.__annotations__.items() if kind is bool)
VALUES: dict[str, Callable[[str], object]] = {
    "shape": _one_of("A", "B", "C", "D", "none"),
    "charge": _one_of("number", "string"),
    "code": _one_of("string", "int"),
    "error": _one_of("object", "code", "message"),
    "fail": _code,
    "delay": _seconds,
    "ack": _one_of("task_id", "id", "task_ids", "full", "none"),
    "ack_delay": _seconds,
    "return_code": _whole(1, 99_999),
    "status": _whole(300, 599),
    "retry_after": _whole(0, 86_400),
    "retry_date": _whole(0, 86_400),
    "times": _whole(1, 1_000_000),
}
NEEDS = {
    "booked": frozenset({"status", "return_code"}),
    "error": frozenset({"status"}),
    "html": frozenset({"status"}),
    "retry_after": frozenset({"status"}),
    "retry_date": frozenset({"status"}),
    "with_response": frozenset({"fail"}),
}
CLASHES = (
    frozenset({"status", "return_code", "reset"}),
    frozenset({"status", "ack"}),
    frozenset({"reset", "ack"}),
    frozenset({"lost", "before_ack", "reordered"}),
    frozenset({"lost", "duplicate"}),
    frozenset({"lost", "resent"}),
    frozenset({"lost", "malformed"}),
    frozenset({"delay", "late"}),
    frozenset({"retry_after", "retry_date"}),
)
FIT_A_REFUSAL = frozenset({"status", "return_code", "retry_after", "retry_date", "error", "html", "ack_delay", "times"})
