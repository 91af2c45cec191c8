"""Every error as `application/problem+json` (RFC 9457): what is wrong, where, the limit and the value, nothing more."""

import errno
import logging
import traceback
from http import HTTPStatus
from pathlib import Path

import werkzeug.exceptions
from flask import Flask, Response, has_request_context, request
from werkzeug.exceptions import HTTPException

from app.api.problems import MAX_PROBLEMS, shortened
from app.api.schemas.outputs import ProblemItemOut, ProblemOut
from app.errors import (
    Conflict,
    DatabaseUnavailable,
    HivebatchError,
    InputTooLarge,
    InvalidInput,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Problem,
    QuarantineFull,
    TooManyAtOnce,
)

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_SECONDS = 5
QUARANTINE_RETRY_SECONDS = 3600  # a person has to look first
_NO_ROOM = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT})
_FRAMES_LOGGED = 8

_STATUS: dict[type[HivebatchError], HTTPStatus] = {
    InvalidInput: HTTPStatus.BAD_REQUEST,
    NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    NotAllowed: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    QuarantineFull: HTTPStatus.TOO_MANY_REQUESTS,
    InputTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    DatabaseUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    TooManyAtOnce: HTTPStatus.SERVICE_UNAVAILABLE,
}
_HEADERS: dict[type[HivebatchError], dict[str, str]] = {
    QuarantineFull: {"Retry-After": str(QUARANTINE_RETRY_SECONDS)},
    NotAuthenticated: {"WWW-Authenticate": 'Bearer realm="hivebatch"'},
    DatabaseUnavailable: {"Retry-After": str(RETRY_AFTER_SECONDS)},
    TooManyAtOnce: {"Retry-After": "1"},
}

logger = logging.getLogger(__name__)


def register_errors(app: Flask) -> None:
    """Answer every error of the application so, unless a blueprint has a handler of its own."""
    for kind in _STATUS:
        app.register_error_handler(kind, of_ours)
    app.register_error_handler(HTTPException, of_http)
    app.register_error_handler(Exception, of_a_fault)


def of_ours(error: HivebatchError) -> Response:
    """The response to one of our own errors."""
    kind = next(known for known in _STATUS if isinstance(error, known))
    status = _STATUS[kind]
    # What the database says is for the operator, who finds it in the log.
    is_outage = kind is DatabaseUnavailable
    if is_outage:
        logger.warning(
            "database_unavailable", extra={"route": _route(), "reason": str(error), "trouble": _trouble(error)}
        )
    detail = "The database is not available; try again later." if is_outage else str(error)
    items = error.problems if isinstance(error, InvalidInput) else ()
    problem = ProblemOut(
        type=_type(kind),
        title=status.phrase,
        status=status,
        detail=detail or (kind.__doc__ or ""),
        errors=[item(each) for each in items[:MAX_PROBLEMS]] if items else None,
        errors_total=error.total if isinstance(error, InvalidInput) else None,
    )
    return _response(problem, _HEADERS.get(kind, {}))


def of_http(error: HTTPException) -> Response:
    """The response to an error that Flask raised: no such route, wrong method, wrong content type."""
    status = HTTPStatus(error.code or 500)
    problem = ProblemOut(type="about:blank", title=status.phrase, status=status, detail=error.description or "")
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    return _response(problem, headers)


def no_such_page() -> Response:
    """The response to a path that leads nowhere, and to whoever must not learn that his leads somewhere."""
    return of_http(werkzeug.exceptions.NotFound())


def of_a_fault(error: BaseException) -> Response:
    """The response to a fault of ours; where there was no room for what came, the client may come again."""
    if isinstance(error, OSError) and _has_no_room(error):
        return of_ours(DatabaseUnavailable(str(error.strerror), "there is no room here for the request"))
    # The message of an exception can hold a prompt or a token, so only its kind and its place are logged.
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_LOGGED:]
    place = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}:{frame.name}" for frame in frames)
    logger.error("request_failed", extra={"route": _route(), "error": type(error).__name__, "place": place})
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    words = "Something is wrong on our side; the log of the service has it."
    return _response(ProblemOut(type="about:blank", title=status.phrase, status=status, detail=words), {})


def _has_no_room(error: OSError) -> bool:
    """Whether no file could be written. The first of a process needs a folder; who finds none names no file."""
    return error.errno in _NO_ROOM or (isinstance(error, FileNotFoundError) and error.filename is None)


def item(problem: Problem) -> ProblemItemOut:
    """One problem of an input, its value cut to what a person reads."""
    return ProblemItemOut(
        message=problem.message,
        pointer=problem.pointer,
        line=problem.line,
        limit=problem.limit,
        value=shortened(problem.value),
    )


def _response(problem: ProblemOut, headers: dict[str, str]) -> Response:
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, problem.status, headers, content_type=PROBLEM_JSON)


def _trouble(error: HivebatchError) -> str | None:
    return error.trouble if isinstance(error, DatabaseUnavailable) else None


def _type(kind: type[HivebatchError]) -> str:
    words = "".join(f"-{c.lower()}" if c.isupper() else c for c in kind.__name__)
    return f"urn:hivebatch:problem:{words.removeprefix('-')}"


def _route() -> str:
    return request.url_rule.rule if has_request_context() and request.url_rule else "none"
