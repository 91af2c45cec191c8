"""Reading what clients of this face send: parameters, and documents whose faults OpenAI has words of its own for."""

from typing import TypeVar

from flask import request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from app.openai.errors import InvalidRequest

T = TypeVar("T", bound=BaseModel)

_TYPES = {"string": "string", "integer": "int", "dict": "object", "model": "object"}


def read(model: type[T], value: object) -> T:
    """The value as the model has it.

    Raises:
        InvalidRequest: the first thing that is wrong with it.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _in_words(error.errors(include_url=False)[0]) from error


def query(model: type[T]) -> T:
    """The parameters of the request that `model` names; an empty one is none."""
    return read(model, {name: value for name, value in request.args.items() if value})


def _in_words(fault: ErrorDetails) -> InvalidRequest:
    parts = [str(part) for part in fault["loc"] if part != "[key]"]
    param, kind, given = ".".join(parts) or None, fault["type"], str(fault["input"])[:200]
    if param is None:
        return InvalidRequest("The body must be a JSON object.", code="invalid_type")
    if kind == "missing":
        return InvalidRequest(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")
    if kind == "literal_error":
        words = f"Invalid value: '{given}'. Supported values are: {fault['ctx']['expected']}."
        return InvalidRequest(words, param, "invalid_value")
    if kind.endswith("_type"):
        words = f"Invalid type for '{param}': {fault['msg'][0].lower()}{fault['msg'][1:]}."
        return InvalidRequest(words, param, "invalid_type")
    return InvalidRequest(
        f"Invalid value for '{param}': {fault['msg'][0].lower()}{fault['msg'][1:]}.", param, "invalid_value"
    )
