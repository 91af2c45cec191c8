"""The lines of output and error files."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from app import chat
from app.services.newrows import INVALID_REQUEST
from app.services.views import FileLine
from app.states import JobState

UNNAMED_MODEL = "unknown"

Answer = tuple[int, Mapping[str, Any]]
"""An HTTP status and a body."""


def written(lines: Iterable[FileLine]) -> Iterator[bytes]:
    """Each as one line of JSON with its end."""
    for line in lines:
        yield json.dumps(shown(line), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def shown(line: FileLine) -> Mapping[str, Any]:
    """A job that has ended, as its submitter reads it."""
    shown_id = line.job_id.hex
    answer, error = _parts(line)
    response = None
    if answer is not None:
        status, body = answer
        response = {"status_code": status, "request_id": f"req_{shown_id}", "body": body}
    return {"id": f"batch_req_{shown_id}", "custom_id": line.custom_id, "response": response, "error": error}


def _parts(line: FileLine) -> tuple[Answer | None, Mapping[str, str] | None]:
    return failure(line) if line.text is None else ((200, completion(line)), None)


def completion_id(job_id: UUID) -> str:
    """What the answer of a job is called."""
    return f"chatcmpl-{job_id.hex}"


def completion(line: FileLine) -> Mapping[str, Any]:
    """The answer of a job that is completed, a chat.completion."""
    # The model as the provider tells it, else as it was asked for; of a job that names none, nobody may know it.
    model = line.model or UNNAMED_MODEL
    id_ = completion_id(line.job_id)
    return chat.completion_of(line.text or "", line.details, id_=id_, model=model, created=line.finished_at)


def failure(line: FileLine) -> tuple[Answer | None, Mapping[str, str]]:
    """What went wrong with a job that has ended without one, and what that was as an answer, if there was any."""
    if line.state == JobState.CANCELLED:
        return None, _error("batch_cancelled", "The batch was cancelled before this request was done.")
    code, message = line.error_code or "unknown", line.error_message or "It failed."
    if code == "batch_expired":
        return None, _error(code, message)
    status = 400 if code == INVALID_REQUEST else line.http_status or 500
    kind = "server_error" if status >= 500 else "invalid_request_error"
    said = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return (status if status >= 400 else 500, said), _error(code, message)


def _error(code: str, message: str) -> Mapping[str, str]:
    return {"code": code, "message": message}
