"""From what is wrong with an input to the problems that a client reads: where it is, what it is, limit and value."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from app.errors import InvalidInput, Problem
from app.strictjson import escape

T = TypeVar("T", bound=BaseModel)

SHOWN_CHARS = 200
MAX_PROBLEMS = 100

_LIMITS = ("le", "ge", "lt", "gt", "max_length", "min_length", "expected")
_MESSAGES = {"extra_forbidden": "Unknown field", "missing": "Required field is missing"}
_KEY_MARK = "[key]"  # pydantic's mark for a fault of a key rather than of its value


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a request a JSON value stands: a pointer to it in the body, or the line that it is."""

    pointer: str = ""
    line: int | None = None

    def problem(
        self, message: str, *parts: str | int, limit: float | str | None = None, value: object = None
    ) -> Problem:
        """A problem of the value at `parts` below this place."""
        pointer = self.pointer + "".join(f"/{escape(str(part)[:SHOWN_CHARS])}" for part in parts)
        return Problem(message, pointer, self.line, limit, shortened(value))

    def move(self, problem: Problem) -> Problem:
        """A problem inside the value, as one of the request."""
        # A line is all of its document: "line 1" of the parser would only contradict our own number.
        message = problem.message if self.line is None else problem.message.replace(" at line 1 column ", " at column ")
        return replace(problem, message=message, pointer=self.pointer + (problem.pointer or ""), line=self.line)


def parsed(model: type[T], value: object) -> T:
    """The value as the model has it.

    Raises:
        InvalidInput: the first 100 things that are wrong with it.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidInput(of_validation(error, Place())[:MAX_PROBLEMS], error.error_count()) from error


def of_validation(error: ValidationError, place: Place) -> tuple[Problem, ...]:
    """Every fault that pydantic found in the value at `place`."""
    return tuple(_of_fault(fault, place) for fault in error.errors(include_url=False))


def _of_fault(fault: ErrorDetails, place: Place) -> Problem:
    parts = [part for part in fault["loc"] if part != _KEY_MARK]
    message = _MESSAGES.get(fault["type"], fault["msg"])
    value = None if fault["type"] == "missing" else fault["input"]
    return place.problem(message, *parts, limit=_limit(fault.get("ctx", {})), value=value)


def _limit(context: Mapping[str, object]) -> float | str | None:
    for name in _LIMITS:
        limit = context.get(name)
        if isinstance(limit, int | float | str):
            return limit
    return None


def shortened(value: object) -> object:
    """A value as a problem may show and keep it: a JSON scalar of at most 200 characters."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text[:SHOWN_CHARS]
