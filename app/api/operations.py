"""What a view declares of itself: who may call it, what goes in, what comes out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Literal, ParamSpec

from flask import Response, request
from pydantic import BaseModel

from app.api import queries
from app.api.auth import authenticate
from app.api.body import JSON
from app.api.context import gate
from app.api.errors import PROBLEM_JSON
from app.api.schemas.inputs import Query
from app.api.schemas.outputs import ProblemOut
from app.states import Scope

P = ParamSpec("P")

Auth = Literal["key", "token", "none"]

BYTES = "application/octet-stream"
EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Answer:
    """One response: `model` None for an empty one, or one of `BYTES`; `headers` name and description.

    `or_events`: it may come as server-sent events instead.
    """

    description: str
    model: type[BaseModel] | None = None
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    or_events: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """A header that may be sent, and what it looks like, as a regular expression."""

    description: str
    pattern: str


@dataclass(frozen=True, slots=True)
class ErrorShape:
    """How a face of the service writes its errors."""

    model: type[BaseModel]
    media_type: str


PROBLEM = ErrorShape(ProblemOut, PROBLEM_JSON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The declaration, used as a decorator of the view that it speaks of.

    `auth`: `key` takes an API key and is checked here; `token` is proven by the path, by the service; `none` is open.
    `problems`: the 4xx and 5xx that the operation itself may answer. `bodies`: model by media type, None for any bytes.
    `query`: None for an operation that has no parameters and refuses any. `is_long`: it may wait, or stream what is
    long, and so has to pass the gate. `scope`: what the key has to be for, None: as the method says.
    """

    summary: str
    auth: Auth
    answers: Mapping[int, Answer]
    problems: tuple[int, ...] = ()
    bodies: Mapping[str, type[BaseModel] | None] = field(default_factory=dict)
    needs_body: bool = False
    query: type[BaseModel] | None = None
    headers: Mapping[str, Header] = field(default_factory=dict)
    errors: ErrorShape = PROBLEM
    is_long: bool = False
    scope: Scope | None = None

    def __call__(self, view: Callable[P, Response]) -> Callable[P, Response]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Response:
            if self.auth == "key":
                authenticate(request, self.scope)
                if self.query is None:
                    queries.read(Query, request.args)
            return gate().let_in(lambda: view(*args, **kwargs)) if self.is_long else view(*args, **kwargs)

        _DECLARED[guarded] = self
        return guarded


_DECLARED: dict[Callable[..., Any], Operation] = {}


def declared(view: Callable[..., Any]) -> Operation | None:
    """The declaration of a view, if it has one."""
    return _DECLARED.get(view)
