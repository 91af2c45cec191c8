"""Makes the HTTP answer to a submit out of what was decided for it."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from werkzeug.http import http_date

from app.sandbox.results import PROJECT_ID, bytes_of
from app.sandbox.switches import Switches
from app.sandbox.tasks import Task

JSON = "application/json"
HTML_PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1><hr>nginx</body></html>"
MESSAGES = {429: "Too many requests", 500: "Internal error", 502: "Bad gateway", 503: "Service unavailable"}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False
    """No answer at all: the connection is reset."""


def json_answer(status: int, content: Mapping[str, object]) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, json.dumps(content).encode())


def error_answer(status: int, message: str) -> Answer:
    """An error the way the vendor words it."""
    return json_answer(status, {"return_code": status, "message": message})


def answer_to_submit(switches: Switches, task: Task | None) -> Answer:
    """The answer to an asynchronous submit; `task` is None where nothing was booked."""
    return faulty_answer(switches, task) or json_answer(200, {} if task is None else _ack(switches.ack, task.task_id))


def answer_to_sync(switches: Switches, task: Task | None) -> Answer:
    """The answer to a sync submit: the result itself."""
    return faulty_answer(switches, task) or Answer(200, b"" if task is None else bytes_of(task))


def faulty_answer(
    switches: Switches, task: Task | None, worded: Callable[[int, str], Answer] = error_answer
) -> Answer | None:
    """What is answered instead of an ack or a result, an error `worded` as this API does; None: nothing."""
    if switches.reset:
        return Answer(500, b"", is_cut=True)
    if switches.return_code is not None:
        ids = {} if task is None else {"task_id": task.task_id}
        return json_answer(200, {"return_code": switches.return_code, "message": "Not processed"} | ids)
    return None if switches.status is None else _error(switches, switches.status, worded)


def _error(switches: Switches, status: int, worded: Callable[[int, str], Answer]) -> Answer:
    message = MESSAGES.get(status, "Refused")
    headers = _headers(switches, status)
    if switches.html:
        return Answer(status, HTML_PAGE.format(f"{status} {message}").encode(), "text/html", headers)
    return Answer(status, worded(status, message).body, headers=headers)


def _headers(switches: Switches, status: int) -> dict[str, str]:
    headers = {"Location": "/elsewhere"} if status < 400 else {}
    if switches.retry_after is not None:
        headers["Retry-After"] = str(switches.retry_after)
    if switches.retry_date is not None:
        headers["Retry-After"] = http_date(time.time() + switches.retry_date)
    return headers


def _ack(form: str, task_id: str) -> dict[str, object]:
    forms: dict[str, dict[str, object]] = {
        "task_id": {"task_id": task_id},
        "id": {"id": task_id},
        "task_ids": {"task_ids": [task_id]},
        "none": {"message": "accepted"},
        "full": {
            "id": task_id,
            "task_id": task_id,
            "message": "accepted",
            "project_id": PROJECT_ID,
            "customer_id": 3,
            "user_id": 7,
            "queue_priority": 0,
            "task_priority": 0,
            "token_id": 11,
        },
    }
    return forms[form]
