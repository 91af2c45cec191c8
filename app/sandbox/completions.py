"""Makes the HTTP answer to a V3 request: a chat.completion, whole or streamed, or an error."""

import json
from functools import partial

from app.sandbox.answers import Answer, faulty_answer, json_answer
from app.sandbox.chats import Chat
from app.sandbox.results import UNKNOWN_KEYS
from app.sandbox.switches import Switches
from app.sandbox.tasks import Task

EVENT_STREAM = "text/event-stream"
CHARACTERS_PER_TOKEN = 4


def answer_to_chat(chat: Chat, switches: Switches, task: Task | None) -> Answer:
    """The answer to a V3 request; `task` is None where nothing was booked."""
    fault = faulty_answer(switches, task, partial(chat_error, form=switches.error))
    if fault is not None or task is None:
        return fault or json_answer(200, {})
    body = _stream(chat, task) if chat.is_streamed else json.dumps(_completion(chat, task)).encode()
    kind = EVENT_STREAM if chat.is_streamed else "application/json"
    return Answer(200, body[: len(body) // 2] if switches.malformed else body, kind)


def chat_error(status: int, message: str, form: str = "object") -> Answer:
    """An error in one of the forms that were seen: an `object`, a return `code`, a `message` alone."""
    bodies: dict[str, dict[str, object]] = {
        "object": {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": str(status)}},
        "code": {"return_code": status, "message": message},
        "message": {"message": message},
    }
    return json_answer(status, bodies[form])


def _completion(chat: Chat, task: Task) -> dict[str, object]:
    if task.failure:
        return _failed(task)
    text, finish_reason = _said(task)
    message: dict[str, object] = {"role": "assistant", "content": text}
    choice: dict[str, object] = {"index": 0, "message": message, "finish_reason": finish_reason}
    match task.switches.shape:
        case "C":
            choice = {"index": 0, "text": text, "finish_reason": finish_reason}
        case "D":
            message |= {"content": [{"type": "text", "text": text}]}
    whole = _head(chat, task, "chat.completion") | {"choices": [] if task.switches.shape == "none" else [choice]}
    return whole if task.switches.shape == "B" else whole | {"usage": _usage(task, text)}


def _stream(chat: Chat, task: Task) -> bytes:
    """Server-sent events: the role, the text word by word, its end, the usage, and `[DONE]`."""
    if task.failure:
        return _event(_failed(task))
    head = _head(chat, task, "chat.completion.chunk")
    text, finish_reason = _said(task)
    deltas: list[dict[str, object]] = [{"role": "assistant", "content": ""}]
    pieces = [piece for word in (text or "").split(" ") for piece in (word, " ")][:-1]
    deltas.extend({"content": piece} for piece in pieces)
    choices: list[dict[str, object]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": finish_reason})
    chunks = [head | {"choices": [] if task.switches.shape == "none" else [choice]} for choice in choices]
    usage = [] if task.switches.shape == "B" else [head | {"choices": [], "usage": _usage(task, text)}]
    return b"".join(map(_event, [*chunks, *usage])) + b"data: [DONE]\n\n"


def _event(chunk: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _head(chat: Chat, task: Task, kind: str) -> dict[str, object]:
    """What stands above the choices; `created` may be missing."""
    head: dict[str, object] = {"id": f"chatcmpl-{task.task_id}", "object": kind, "model": chat.model}
    created = {} if task.switches.shape == "B" else {"created": int(task.accepted_at.timestamp())}
    return head | created | (UNKNOWN_KEYS if task.switches.extra else {})


def _said(task: Task) -> tuple[str | None, str]:
    return (None, "length") if task.switches.null_content else (task.say(), "stop")


def _usage(task: Task, text: str | None) -> dict[str, int]:
    asked = len(task.submission.prompt) + len(task.submission.system_prompt or "")
    counts = [-(-characters // CHARACTERS_PER_TOKEN) for characters in (asked, len(text or ""))]
    return {"prompt_tokens": counts[0], "completion_tokens": counts[1], "total_tokens": sum(counts)}


def _failed(task: Task) -> dict[str, object]:
    return {"error": {"message": "inference failed", "type": "server_error", "code": task.failure}}
