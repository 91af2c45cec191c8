"""Reading query parameters: every one known, given once unless it is a list, and of its type."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar, get_origin

from werkzeug.datastructures import MultiDict

from app import strictjson
from app.api.problems import Place, parsed
from app.api.schemas.inputs import BatchHead, Query
from app.errors import InvalidInput, Problem

Q = TypeVar("Q", bound=Query)

JSON_PARAMETERS = frozenset({"metadata", "options", "max_attempts", "expires_in_seconds"})


def read(model: type[Q], args: MultiDict[str, str]) -> Q:
    """The parameters that `model` names.

    Raises:
        InvalidInput: a parameter is unknown, repeated, or not of its type.
    """
    lists = {name for name, field in model.model_fields.items() if get_origin(field.annotation) is tuple}
    with as_parameters():
        return parsed(model, _once(args, lists))


def read_head(args: MultiDict[str, str]) -> BatchHead:
    """A batch as parameters say it; what is not text is JSON (`options={"max_tokens":64}`).

    Raises:
        InvalidInput: as `read`, with pointers that begin with the name of the parameter.
    """
    return parsed(BatchHead, {name: _value(name, text) for name, text in _once(args, set()).items()})


@contextmanager
def as_parameters() -> Iterator[None]:
    """Let problems that are raised inside speak of parameters: a query is no document to point into."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput([_of_parameter(problem) for problem in error.problems], error.total) from error


def _of_parameter(problem: Problem) -> Problem:
    name, slash, rest = (problem.pointer or "").removeprefix("/").partition("/")
    where = f"Query parameter '{name}'" + (f" at /{rest}" if slash else "")
    return Problem(f"{where}: {problem.message}", None, None, problem.limit, problem.value)


def _once(args: MultiDict[str, str], lists: set[str]) -> Mapping[str, object]:
    for name, values in args.lists():
        if len(values) > 1 and name not in lists:
            raise InvalidInput([Place().problem("It may be given once only", name, limit=1, value=len(values))])
        if "\x00" in name or any("\x00" in value for value in values):
            raise InvalidInput([Place().problem("Text must not contain U+0000", name)])
    # `?state=&cursor=` is how a form says that it has nothing to say.
    return {name: args.getlist(name) if name in lists else args[name] for name in args if any(args.getlist(name))}


def _value(name: str, text: object) -> object:
    if name not in JSON_PARAMETERS or not isinstance(text, str):
        return text
    try:
        return strictjson.loads(text)
    except InvalidInput as error:
        raise InvalidInput([Place(f"/{name}").move(problem) for problem in error.problems]) from error
