"""Every error as the OpenAI API writes it. What went wrong, and how it is logged, is said once, by the other face."""

import json
from http import HTTPStatus

from flask import Flask, Response, request

from app.api.body import JSON
from app.api.errors import PROBLEM_JSON
from app.ids import new_id
from app.openai.schemas import OpenAiError, OpenAiFault

REQUEST_ID = "x-request-id"
SHOULD_RETRY = "x-should-retry"

_CODES = {HTTPStatus.UNAUTHORIZED: "invalid_api_key"}


class InvalidRequest(Exception):
    """A parameter of the request is wrong; nothing was stored. What isn't there is no bad request, but not found."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code
        self.status = HTTPStatus.NOT_FOUND if code == "model_not_found" else HTTPStatus.BAD_REQUEST


def register_errors(app: Flask, prefix: str) -> None:
    """Write every error at and below `prefix` so, whoever found it: a view, the other face's handlers, or no route."""

    @app.after_request
    def translate(response: Response) -> Response:
        if not f"{request.path}/".startswith(f"{prefix}/"):
            return response
        response.headers.setdefault(REQUEST_ID, f"req_{new_id().hex}")
        return translated(response) if response.mimetype == PROBLEM_JSON else response

    app.register_error_handler(InvalidRequest, refused)


def refused(error: InvalidRequest) -> Response:
    """The response to a wrong parameter."""
    return _written(Response(status=error.status), str(error), error.param, error.code)


def ended(status: HTTPStatus, message: str, code: str) -> Response:
    """The response to a request that was stored and came to nothing. The SDKs must not repeat it: it may be paid."""
    return _written(Response(status=status, headers={SHOULD_RETRY: "false"}), message, None, code)


def translated(response: Response) -> Response:
    """A problem of the other face in the words of this one."""
    problem = json.loads(response.get_data())
    first = (problem.get("errors") or [{}])[0]
    if response.status_code == HTTPStatus.CONFLICT:
        response.headers[SHOULD_RETRY] = "false"  # the SDKs would try twice more
    code = _CODES.get(HTTPStatus(response.status_code))
    return _written(response, problem.get("detail") or problem["title"], param_of(first.get("pointer")), code)


def param_of(pointer: str | None) -> str | None:
    """A JSON pointer as this API names a field: `/body/model` is `body.model`."""
    parts = (pointer or "").split("/")[1:]
    return ".".join(part.replace("~1", "/").replace("~0", "~") for part in parts) or None


def _written(response: Response, message: str, param: str | None, code: str | None) -> Response:
    kind = "server_error" if response.status_code >= 500 else "invalid_request_error"
    error = OpenAiError(error=OpenAiFault(message=message, type=kind, param=param, code=code))
    response.set_data(error.model_dump_json())
    response.content_type = JSON
    return response
