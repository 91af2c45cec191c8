"""From the lines of an input file to jobs: each valid, or with everything that is wrong with it."""

from collections.abc import Iterator, Mapping
from typing import IO, Any

from pydantic import ValidationError

from app import chat, strictjson
from app.api.body import Line, lines
from app.api.problems import Place, of_validation
from app.api.rules import problems_of_job
from app.api.schemas.inputs import JobIn
from app.config import Settings
from app.errors import InvalidInput, Problem
from app.openai.errors import InvalidRequest, param_of
from app.openai.schemas import ENDPOINT
from app.provider_settings import ProviderSettings
from app.services.choosing import Choice, problems_of
from app.services.views import BadLine, NewJob

_CALL = "call"
_REQUIRED = ("custom_id", "method", "url", "body")
_MAX_ID_CHARS = 512
_MAX_MODEL_CHARS = 200
_OF_THE_CALL = ("stream", "stream_options")
_JUDGED_BY_CHATS = frozenset({"temperature", "top_p"})


def read_lines(file: IO[bytes], settings: Settings) -> Iterator[NewJob | BadLine]:
    """The jobs in a file, in their order, read one at a time. They go to the provider of the first one's model."""
    choice = Choice(settings, None, {})
    for line in lines(file, settings.max_line_bytes):
        try:
            yield _job(_request(line, settings.max_line_bytes), line.number, choice, settings)
        except InvalidInput as error:
            yield BadLine(error.problems)


def read_call(body: Mapping[str, Any], settings: Settings) -> NewJob:
    """The job of one request whose sender waits for the answer; how he wants that written is no part of it.

    Raises:
        InvalidRequest: the first thing that is wrong with it.
    """
    asked = {name: value for name, value in body.items() if name not in _OF_THE_CALL}
    request = {"custom_id": _CALL, "method": "POST", "url": ENDPOINT, "body": asked}
    try:
        job = _job(request, 1, Choice(settings, None, {}), settings)
    except InvalidInput as error:
        raise _refusal(error.problems[0], body) from error
    if job.fault is not None:
        raise _refusal(job.fault, body)
    return job


def _refusal(problem: Problem, body: Mapping[str, Any]) -> InvalidRequest:
    """A problem of a line as one of the request that it was made of."""
    param = (param_of(problem.pointer) or "").removeprefix("body.")
    is_known = param.partition(".")[0] in body
    return InvalidRequest(problem.message, param if is_known else None, problem.code or "invalid_value")


def _request(line: Line, limit: int) -> Mapping[str, Any]:
    place = Place(line=line.number)
    if line.content is None:
        raise InvalidInput([Problem(f"A line takes at most {limit} bytes.", None, line.number, code="invalid_request")])
    try:
        value = strictjson.loads(line.content)
    except InvalidInput as error:
        raise InvalidInput(
            [_not_json(place.move(problem).message, line.number) for problem in error.problems]
        ) from error
    if not isinstance(value, dict):
        raise InvalidInput([_not_json("A line must be a JSON object.", line.number)])
    return value


def _not_json(message: str, number: int) -> Problem:
    return Problem(message, None, number, code="invalid_json_line")


def _job(request: Mapping[str, Any], number: int, choice: Choice, settings: Settings) -> NewJob:
    problems = [Problem(words, pointer, number, code=code) for words, pointer, code in _faults(request)]
    if problems:
        raise InvalidInput(problems)
    body = request["body"]
    provider = _provider(choice, settings, body["model"], number)
    try:
        text, options = chat.job_of_chat(body)
    except InvalidInput as error:
        return NewJob(request["custom_id"], "", {"model": body["model"]}, number, "", error.problems[0])
    _shorten(options, provider.max_output_tokens)
    job = NewJob(request["custom_id"], text, options, number)
    fault = next(problems_of(provider, job, {}), None) or _beyond_limits(job, provider, settings)
    return job._replace(fault=fault)


def _faults(request: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a line by itself, so that its batch fails: words, pointer, code."""
    said = {name: request[name] for name in _REQUIRED if request.get(name) not in (None, "")}
    for name in _REQUIRED:
        if name not in said:
            yield f"Missing required parameter: '{name}'.", f"/{name}", "missing_required_parameter"
    custom_id = said.get("custom_id", "")
    if not isinstance(custom_id, str) or len(custom_id) > _MAX_ID_CHARS:
        yield f"A custom_id is text of at most {_MAX_ID_CHARS} characters.", "/custom_id", "invalid_request"
    if said.get("method", "POST") != "POST":
        yield "The method must be POST.", "/method", "invalid_request"
    if said.get("url", ENDPOINT) != ENDPOINT:
        yield f"The URL of a line must be that of its batch, {ENDPOINT}.", "/url", "invalid_url"
    if isinstance(said.get("body"), dict):
        yield from _faults_of_body(said["body"])
    elif "body" in said:
        yield "The body must be a JSON object.", "/body", "invalid_request"


def _faults_of_body(body: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if body.get("stream"):
        yield "Streaming is not supported in a batch.", "/body/stream", "streaming_unsupported"
    model = body.get("model")
    if not model or not isinstance(model, str) or len(model) > _MAX_MODEL_CHARS:
        yield "There must be a model.", "/body/model", "invalid_request"
    if not body.get("messages"):
        yield "There must be messages.", "/body/messages", "invalid_request"


def _provider(choice: Choice, settings: Settings, model: str, number: int) -> ProviderSettings:
    if settings.provider_of(model) is None:
        words, code = f"The model '{model}' is not served here; /v1/models lists those that are.", "model_not_found"
    elif not settings.takes(choice.made(model), model):
        words, code = f"'{model}' is of another provider than the first line's; a batch goes to one.", "model_mismatch"
    else:
        return choice.made(model)
    raise InvalidInput([Problem(words, "/body/model", number, code=code)])


def _shorten(options: dict[str, Any], limit: int) -> None:
    """Of a longer answer than there is, as much as there is."""
    for said, name in ((options, "max_tokens"), (options.get("chat", {}), chat.LENGTH)):
        if name in said:
            said[name] = min(said[name], limit)


def _beyond_limits(job: NewJob, provider: ProviderSettings, settings: Settings) -> Problem | None:
    """What the other face would refuse. A provider that chats judges by itself what V2 is known to refuse."""
    place = Place("/body")
    left_out = chat.BESIDE_V2 | (frozenset() if provider.kind == "hive_v2" else _JUDGED_BY_CHATS)
    words = {name: value for name, value in job.options.items() if name not in left_out}
    text = job.text_data or " "  # V2 is known to need one; to a chat, the last turn need not be the user's
    try:
        checked = JobIn.model_validate({"custom_id": "job", "text_data": text, "options": words})
    except ValidationError as error:
        return of_validation(error, place)[0]
    return next(problems_of_job(checked, settings, place), None)
