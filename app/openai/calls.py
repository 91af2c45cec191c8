"""Chat completions, one at a time: a batch of one job, whose answer is waited for."""

import json
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from itertools import chain
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request

from app.api.body import JSON, received
from app.api.context import is_client_gone, owner, runtime
from app.api.operations import EVENTS, Answer
from app.api.submissions import HEADERS, idempotency_key
from app.ids import show
from app.openai import lines
from app.openai.chunks import events, handed_on
from app.openai.errors import ended
from app.openai.intake import read_call
from app.openai.operations import declare
from app.openai.reading import read
from app.openai.schemas import OpenAiCall, OpenAiCompletion
from app.runtime import Runtime
from app.services import calls
from app.services.views import FileLine

blueprint = Blueprint("openai_calls", __name__)

JOB = "X-Hivebatch-Job"
_PENDING = "answer_pending"
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
        key = idempotency_key(request.headers)
        made = calls.make(runtime(), owner(), key, body.sha256, job, streams=call.stream is True)
    return _answer(made, call)


def _answer(made: calls.Call, call: OpenAiCall) -> Response:
    try:
        found = calls.wait(runtime(), made, is_client_gone)
    except calls.AnswerPending as error:
        return _of_job(ended(HTTPStatus.GATEWAY_TIMEOUT, str(error), _PENDING), error.job_id)
    response = _handed_on(found, made, call) if isinstance(found, calls.Stream) else _ended(found, call)
    return _of_job(response, show("job", found.job_id))


def _handed_on(stream: calls.Stream, made: calls.Call, call: OpenAiCall) -> Response:
    fault = partial(_fault, runtime(), made.batch_id)
    id_ = lines.completion_id(stream.job_id)
    chunks = handed_on(chain([stream.first], stream.rest), id_, fault, has_usage=_has_usage(call))
    response = Response(chunks, headers=_UNBUFFERED, content_type=EVENTS)
    response.call_on_close(stream.rest.close)
    return response


def _fault(runtime: Runtime, batch_id: UUID) -> Mapping[str, Any] | None:
    """Why what was handed on is not the answer of its job; None: it is, and is stored."""
    job_id, line = calls.look(runtime, batch_id)
    if line is not None and line.text is not None:
        return None
    pending = {"message": str(calls.AnswerPending(batch_id, job_id)), "code": _PENDING}
    said = pending if line is None else lines.failure(line)[1]
    return {"type": "server_error", "param": None, **said}


def _ended(line: FileLine, call: OpenAiCall) -> Response:
    """What a job that has ended is to whoever waited for it."""
    if line.text is None:
        answer, error = lines.failure(line)
        return ended(_status(answer), error["message"], error["code"])
    completion = lines.completion(line)
    if not call.stream:
        return Response(json.dumps(completion), content_type=JSON)
    return Response(events(completion, has_usage=_has_usage(call)), headers=_UNBUFFERED, content_type=EVENTS)


def _has_usage(call: OpenAiCall) -> bool:
    return call.stream_options is not None and bool(call.stream_options.include_usage)


def _status(answer: lines.Answer | None) -> HTTPStatus:
    """The fault is that of the request, or of the provider, or nobody's: it was cancelled, or its batch has expired."""
    if answer is None:
        return HTTPStatus.CONFLICT
    return HTTPStatus.BAD_REQUEST if answer[0] < 500 else HTTPStatus.BAD_GATEWAY


def _of_job(response: Response, job_id: str | None) -> Response:
    if job_id is not None:
        response.headers[JOB] = job_id
    return response
