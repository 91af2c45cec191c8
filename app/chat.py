"""Chat messages in the words of a job, and back; what a job has no words for is kept beside them, as it came.

A job speaks V2: the last user turn is `text_data`, the system prompt and the earlier turns are options. What that can't
say stands in `options["chat"]`: any other field of the request, and its `messages` if they can't be had back from the
words. A provider that chats is sent all of it; whether V2 can answer without it, `problems_in_v2` says.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.errors import InvalidInput, Problem

Message = Mapping[str, Any]

BESIDE_V2 = frozenset({"model", "chat"})
"""Options that V2 has no field for."""

LENGTH = "max_completion_tokens"  # what `max_tokens` was renamed to, for some models
_SYSTEM = ("system", "developer")
_ROLES = (*_SYSTEM, "user", "assistant", "tool", "function")
_KEPT_AS_THEY_ARE = ("model", "max_tokens", "temperature", "top_p")
_OURS = (*_KEPT_AS_THEY_ARE, "messages", "stream", "n")
_SOME, _WHOLE = (int, float), (int,)
_TYPES = {"model": (str,), "max_tokens": _WHOLE, LENGTH: _WHOLE, "temperature": _SOME, "top_p": _SOME}
_CHANGE_THE_ANSWER = ("tools", "functions", "logprobs", "audio")


def job_of_chat(body: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The prompt and the options that a job keeps of a chat/completions request; null is as good as absent.

    Raises:
        InvalidInput: no job can be made of it; pointers go into the body.
    """
    if problems := [*_refused(body), *_ill_typed(body), *_malformed(body.get("messages"))]:
        raise InvalidInput(problems)
    messages = [_plain(message) for message in body["messages"]]
    text_data, options = _words(messages)
    options |= {name: body[name] for name in _KEPT_AS_THEY_ARE if body.get(name) is not None}
    beside = {name: value for name, value in body.items() if name not in _OURS and value is not None}
    if LENGTH in beside:
        options["max_tokens"] = beside[LENGTH]
    if _messages(text_data, options) != messages:
        beside["messages"] = messages
    return text_data, options | {"chat": beside} if beside else options


def chat_of_job(text_data: str, options: Mapping[str, Any], *, model: str) -> dict[str, Any]:
    """The chat/completions request that a job is to `model`."""
    body = {"model": model, "messages": _messages(text_data, options)}
    body |= {name: options[name] for name in _KEPT_AS_THEY_ARE[1:] if options.get(name) is not None}
    body |= options.get("chat", {})
    if LENGTH in body:
        body.pop("max_tokens", None)
    return body


def problems_in_v2(text_data: str, options: Mapping[str, Any]) -> Iterator[Problem]:
    """What of a job V2 would have to leave out, though its answer would be wrong then; pointers go into the request.

    Joined instead: several parts of text, several system messages at the beginning.
    """
    beside = options.get("chat", {})
    for name in _CHANGE_THE_ANSWER:
        if beside.get(name):
            yield Problem(f"The V2 API has no {name}; choose a model that chats.", f"/{name}")
    wanted = beside.get("response_format")
    if wanted and wanted != {"type": "text"}:
        yield Problem(
            "The V2 API answers in plain text only.", "/response_format", limit="text", value=str(wanted)[:200]
        )
    yield from _unsaid(beside.get("messages", ()))
    if not text_data:
        yield Problem("The V2 API needs a text to answer.", "/messages")


def completion_of(text: str, details: Mapping[str, Any], *, id_: str, model: str, created: datetime) -> dict[str, Any]:
    """The chat.completion object of a stored answer.

    `details` are the result's: of them `model`, `finish_reason`, `logprobs`, `usage` and `message`, which is what the
    provider's message has besides its text (null content, refusal, calls of tools). Untold usage is left out.
    """
    message = {"role": "assistant", "content": text, "refusal": None, **details.get("message", {})}
    choice = {"index": 0, "message": message, "logprobs": details.get("logprobs")}
    completion = {
        "id": id_,
        "object": "chat.completion",
        "created": int(created.timestamp()),
        "model": details.get("model", model),
        "choices": [choice | {"finish_reason": details.get("finish_reason", "stop")}],
    }
    return completion | {"usage": details["usage"]} if "usage" in details else completion


# --- into a job's words ---


def _words(messages: Sequence[Message]) -> tuple[str, dict[str, Any]]:
    """The last user turn, and what stands before it."""
    last = max((index for index, message in enumerate(messages) if message["role"] == "user"), default=len(messages))
    before = messages[:last]
    system = [_text(message) for message in before if message["role"] in _SYSTEM]
    turns = {"user": "user", "assistant": "model"}
    history = [
        {"role": turns[message["role"]], "content": _text(message)} for message in before if message["role"] in turns
    ]
    options: dict[str, Any] = {"system_prompt": "\n\n".join(system)} if system else {}
    text_data = _text(messages[last]) if last < len(messages) else ""
    return text_data, options | {"prompt_history": history} if history else options


def _plain(message: Message) -> Message:
    """A message whose only part is text says no more than the text."""
    match message.get("content"):
        case [{"type": "text", "text": str(text), **more}] if not more:
            return {**message, "content": text}
    return message


def _text(message: Message) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part["type"] == "text")
    return content or ""


# --- out of a job's words ---


def _messages(text_data: str, options: Mapping[str, Any]) -> list[Message]:
    """The messages that a job's words make."""
    system = options.get("system_prompt")
    history = [_turn(turn, options.get("roles") or {}) for turn in options.get("prompt_history") or ()]
    first = [] if system is None else [{"role": "system", "content": system}]
    return [*first, *history, {"role": "user", "content": text_data}]


def _turn(turn: Message, names: Mapping[str, str]) -> Message:
    is_user = turn["role"] == names.get("user", "user")
    return {"role": "user" if is_user else "assistant", "content": turn["content"]}


# --- what can't be said ---


def _refused(body: Mapping[str, Any]) -> Iterator[Problem]:
    """What no provider is asked for: a job has one answer, and it is whole."""
    if body.get("stream"):
        yield Problem("Answers of a batch are not streamed.", "/stream", value=True)
    if body.get("n") not in (None, 1):
        yield Problem("A job has one answer; repeat the line for more.", "/n", limit=1, value=body["n"])


def _ill_typed(body: Mapping[str, Any]) -> Iterator[Problem]:
    for name, kinds in _TYPES.items():
        value = body.get(name)
        if value is not None and type(value) not in kinds:
            wanted = " or ".join(kind.__name__ for kind in kinds)
            yield Problem(f"Should be of type {wanted}.", f"/{name}", limit=wanted, value=str(value)[:200])


def _malformed(messages: object) -> Iterator[Problem]:
    if not isinstance(messages, list) or not messages:
        yield Problem("Should be a list of messages, and not empty.", "/messages")
        return
    for index, message in enumerate(messages):
        place = f"/messages/{index}"
        if not isinstance(message, dict):
            yield Problem("A message is an object with role and content.", place)
        elif (role := message.get("role")) not in _ROLES:
            yield Problem("Unknown role.", f"{place}/role", limit=", ".join(_ROLES), value=str(role)[:200])
        elif not _is_content(message.get("content"), may_be_null=role == "assistant"):
            yield Problem("Should be text, or a list of parts, each with its type.", f"{place}/content")


def _is_content(content: object, *, may_be_null: bool) -> bool:
    if isinstance(content, list):
        return bool(content) and all(map(_is_part, content))
    return isinstance(content, str) or (content is None and may_be_null)


def _is_part(part: object) -> bool:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        return False
    return part["type"] != "text" or isinstance(part.get("text"), str)


def _unsaid(messages: Sequence[Message]) -> Iterator[Problem]:
    """What of messages that V2's words can't say would be missed."""
    roles = [message["role"] for message in messages]
    first = next((index for index, role in enumerate(roles) if role not in _SYSTEM), len(roles))
    for index, message in enumerate(messages):
        place = f"/messages/{index}"
        if message["role"] not in (*_SYSTEM, "user", "assistant") or message.get("tool_calls"):
            yield Problem("The V2 API has no tools.", place)
        elif index > first and message["role"] in _SYSTEM:
            yield Problem("The V2 API takes a system message at the beginning only.", f"{place}/role")
        for number, part in enumerate(message["content"] if isinstance(message.get("content"), list) else ()):
            if part["type"] != "text":
                kind = part["type"][:200]
                yield Problem("The V2 API takes text only.", f"{place}/content/{number}", limit="text", value=kind)
    if roles and roles[-1] != "user":
        yield Problem("The V2 API answers a user: the last message has to be theirs.", f"/messages/{len(roles) - 1}")
