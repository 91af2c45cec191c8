"""The V2 routes: parse, one call, render."""

import json
from datetime import UTC, datetime
from typing import cast

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import HTTPException

from app.sandbox.answers import Answer, error_answer, json_answer
from app.sandbox.ledger import Refused
from app.sandbox.refusals import Refusal
from app.sandbox.results import result_of
from app.sandbox.sandbox import Sandbox
from app.sandbox.submissions import Submission, read_submission

CUT = "sandbox.cut"
"""The WSGI environment's key of a function that has the server reset the connection instead of answering."""

v2 = Blueprint("v2", __name__, url_prefix="/api/v2/task")


def this_sandbox() -> Sandbox:
    """The sandbox of the app that serves the request."""
    return cast("Sandbox", current_app.extensions["sandbox"])


@v2.post("/async")
def submit() -> Response:
    """Book a task; its result is POSTed to `callback_url`."""
    return render(this_sandbox().submit(_submission(is_sync=False)))


@v2.post("/sync")
def run() -> Response:
    """Book a task and wait for its result."""
    return render(this_sandbox().run(_submission(is_sync=True)))


@v2.get("")
def look_up() -> Response:
    """The result of a task, or a message while there is none."""
    this_sandbox().keys.check(request.headers.get("Authorization"))
    task = this_sandbox().finished_task(request.args.get("task_id", ""))
    return render(json_answer(200, {"message": "Task is being processed"} if task is None else result_of(task)))


@v2.post("/trigger_callback")
def trigger_callback() -> Response:
    """Send the callback of a completed task once more."""
    this_sandbox().keys.check(request.headers.get("Authorization"))
    this_sandbox().trigger_callback(request.args.get("task_id", ""))
    return render(json_answer(200, {"message": "Callback triggered"}))


@v2.errorhandler(Refusal)
def refused(refusal: Refusal) -> Response:
    """Answer a refusal; a refused submit goes into the ledger."""
    if request.endpoint in ("v2.submit", "v2.run"):
        this_sandbox().ledger.refuse(Refused(datetime.now(UTC), refusal.status, refusal.message))
    return render(error_answer(refusal.status, refusal.message))


def http_error(error: HTTPException) -> Response:
    """Answer Flask's own errors (404, 405, ...) the way the vendor words them."""
    return render(error_answer(error.code or 500, error.name))


def _submission(is_sync: bool) -> Submission:
    this_sandbox().keys.check(request.headers.get("Authorization"))
    return read_submission(_fields(), this_sandbox().config, is_sync)


def _fields() -> dict[str, object]:
    if request.mimetype in ("multipart/form-data", "application/x-www-form-urlencoded"):
        return {**request.form, **dict.fromkeys(request.files, "file")}
    return json_fields()


def json_fields() -> dict[str, object]:
    """The body, which is one JSON object.

    Raises:
        Refusal: 400, it is something else.
    """
    try:
        fields = json.loads(request.get_data())
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "the body is not valid JSON") from error
    if not isinstance(fields, dict):
        raise Refusal(400, "the body must be an object")
    return fields


def render(answer: Answer) -> Response:
    """An answer as Flask sends it, or as the server cuts it."""
    if answer.is_cut and CUT in request.environ:
        request.environ[CUT]()
    response = Response(answer.body, answer.status, content_type=answer.content_type)
    response.headers.update(answer.headers)
    return response
