"""Chat completions, one at a time: a batch of one job, whose answer is waited for."""

import json
from functools import partial
from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, Response, request

from app.api.body import JSON, received
from app.api.context import is_client_gone, owner, runtime
from app.api.operations import EVENTS, Answer
from app.api.submissions import HEADERS, idempotency_key
from app.ids import show
from app.openai import lines
from app.openai.chunks import events
from app.openai.errors import ended
from app.openai.intake import read_call
from app.openai.operations import declare
from app.openai.reading import read
from app.openai.schemas import OpenAiCall, OpenAiCompletion
from app.services import calls
from app.services.views import FileLine

blueprint = Blueprint("openai_calls", __name__)

JOB = "X-Hivebatch-Job"
_UNBUFFERED = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


@blueprint.post("/chat/completions")
@declare(
    summary="Ask once, as a batch of one job, and wait for the answer",
    bodies={JSON: OpenAiCall},
    needs_body=True,
    headers=HEADERS,
    is_long=True,
    answers={
        200: Answer("The answer.", OpenAiCompletion, headers={JOB: "The job, as `/api/jobs` has it."}, or_events=True)
    },
    problems=(404, 409, 413, 415, 502, 504),
)
def create_chat_completion() -> Response:
    """Store one job, wait for its end, answer with it."""
    with received(request, {JSON: runtime().settings.max_line_bytes}) as body:
        call = read(OpenAiCall, body.json())
        job = partial(read_call, call.model_dump(exclude_unset=True), runtime().settings)
        batch_id = calls.make(runtime(), owner(), idempotency_key(request.headers), body.sha256, job)
    return _answer(batch_id, call)


def _answer(batch_id: UUID, call: OpenAiCall) -> Response:
    try:
        line = calls.wait(runtime(), batch_id, is_client_gone)
    except calls.AnswerPending as error:
        return _of_job(ended(HTTPStatus.GATEWAY_TIMEOUT, str(error), "answer_pending"), error.job_id)
    return _of_job(_ended(line, call), show("job", line.job_id))


def _ended(line: FileLine, call: OpenAiCall) -> Response:
    """What a job that has ended is to whoever waited for it."""
    if line.text is None:
        answer, error = lines.failure(line)
        return ended(_status(answer), error["message"], error["code"])
    completion = lines.completion(line)
    if not call.stream:
        return Response(json.dumps(completion), content_type=JSON)
    options = call.stream_options
    has_usage = options is not None and bool(options.include_usage)
    return Response(events(completion, has_usage=has_usage), headers=_UNBUFFERED, content_type=EVENTS)


def _status(answer: lines.Answer | None) -> HTTPStatus:
    """The fault is that of the request, or of the provider, or nobody's: it was cancelled, or its batch has expired."""
    if answer is None:
        return HTTPStatus.CONFLICT
    return HTTPStatus.BAD_REQUEST if answer[0] < 500 else HTTPStatus.BAD_GATEWAY


def _of_job(response: Response, job_id: str | None) -> Response:
    if job_id is not None:
        response.headers[JOB] = job_id
    return response
