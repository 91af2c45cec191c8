"""What the body of a chat completion says: an answer, a failure, or nothing that can be read; whole or as a stream."""

from collections.abc import Mapping
from typing import Any

from app.errors import InvalidInput
from app.providers import events
from app.providers.base import Answer, Failure, Origin, Reading, Unreadable
from app.providers.extraction import find_cost_nano, find_text
from app.providers.outcomes import one_line
from app.providers.readings import MAX_ID_CHARS, Fields, fields_of, first_id, words_of

_STREAM_BEGINS = (b"data:", b"event:", b"id:", b":")
_GROWING = frozenset({"content", "refusal", "arguments", "reasoning_content", "reasoning"})
_LISTED_BY_INDEX = frozenset({"tool_calls"})


def read_completion(body: bytes) -> Reading:
    """What a chat.completion says, or the chunks of one. Never raises."""
    is_stream = body.lstrip().startswith(_STREAM_BEGINS)
    fields = _assembled(body) if is_stream else fields_of(body)
    return fields if isinstance(fields, Unreadable) else read_fields(fields)


def read_fields(fields: Fields) -> Reading:
    """The same for a body that is parsed.

    Null content is an answer without text: the model was done, and would be paid again for no more. An `error` in a
    successful answer is a failed task.
    """
    if fields.get("error"):
        return _failure(fields)
    choices = fields.get("choices")
    if not isinstance(choices, list):
        return Unreadable("It has neither `choices` nor `error`.")
    return _answer(fields, choices[0] if choices and isinstance(choices[0], dict) else {})


def _answer(fields: Fields, choice: Fields) -> Answer | Failure:
    cost_nano = _cost_nano(fields)
    said = choice.get("message")
    message: Fields = said if isinstance(said, dict) else {}
    text = find_text({"choices": [choice]})
    if text is None and "content" not in message and not message.get("tool_calls"):
        words = "The request succeeded, but no text was recognised in its answer."
        return Failure(_origin(fields), "text_not_recognised", words, is_retryable=False, cost_nano=cost_nano)
    return Answer(_origin(fields), text or "", cost_nano, _details(fields, choice, message))


def _failure(fields: Fields) -> Failure:
    error = fields["error"]
    code = error.get("code") or error.get("type") if isinstance(error, dict) else None
    named = one_line(str(code), 64) if code else "task_failed"
    return Failure(_origin(fields), named, words_of(error), is_retryable=True, cost_nano=_cost_nano(fields))


def _origin(fields: Fields) -> Origin:
    task_id = first_id(fields.get("id"))
    return Origin((task_id[:MAX_ID_CHARS],) if task_id else ())


def _cost_nano(fields: Fields) -> int | None:
    """What it cost, which some servers tell beside the tokens."""
    usage = fields.get("usage")
    return find_cost_nano({"input": {"charge": usage.get("cost")}}) if isinstance(usage, dict) else None


def _details(fields: Fields, choice: Fields, message: Fields) -> dict[str, object]:
    """`model`, `finish_reason`, `usage`, `logprobs`, and `message`: what the message has besides a text."""
    is_text = isinstance(message.get("content"), str)
    beside = {
        name: value
        for name, value in message.items()
        if name != "role" and (value is not None or name == "content") and not (name == "content" and is_text)
    }
    found = {
        "model": fields.get("model"),
        "finish_reason": choice.get("finish_reason"),
        "usage": fields.get("usage"),
        "logprobs": choice.get("logprobs"),
        "message": beside,
    }
    return {name: value for name, value in found.items() if value}


# --- streams ---


def _assembled(body: bytes) -> dict[str, Any] | Unreadable:
    """The completion that the chunks of a stream make together; it has to have come to its end."""
    whole: dict[str, Any] = {"choices": []}
    choice: dict[str, Any] = {"message": {}}
    is_over = False
    try:
        for chunk in events.chunks(body):
            is_over = is_over or chunk is None
            told = chunk or {}
            whole |= {name: value for name, value in told.items() if name != "choices" and value is not None}
            _grow(choice, told)
    except InvalidInput as error:
        return Unreadable(one_line(f"An event of the stream: {error}"))
    if not (is_over or choice.get("finish_reason") or whole.get("error")):
        return Unreadable("The stream ended before the answer did.")
    return whole | {"choices": [choice]} if choice["message"] or len(choice) > 1 else whole


def _grow(choice: dict[str, Any], chunk: Mapping[str, Any]) -> None:
    """Add what a chunk tells of the first choice."""
    choices = chunk.get("choices")
    for told in choices if isinstance(choices, list) else ():
        if isinstance(told, dict) and told.get("index", 0) == 0:
            if isinstance(delta := told.get("delta", told.get("message")), dict):
                _merge(choice["message"], delta)
            if told.get("finish_reason"):
                choice["finish_reason"] = told["finish_reason"]


def _merge(message: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Text grows, calls of tools grow by their index, anything else is replaced."""
    for name, value in delta.items():
        known = message.get(name)
        if name in _GROWING and isinstance(known, str) and isinstance(value, str):
            message[name] = known + value
        elif isinstance(known, dict) and isinstance(value, dict):
            _merge(known, value)
        elif name in _LISTED_BY_INDEX and isinstance(value, list):
            message[name] = _merged_by_index(known if isinstance(known, list) else [], value)
        elif value is not None or name not in message:
            message[name] = value


def _merged_by_index(known: list[Any], told: list[Any]) -> list[Any]:
    by_index = {each.get("index"): each for each in known}
    for each in told:
        if isinstance(each, dict):
            _merge(by_index.setdefault(each.get("index"), {}), each)
    return list(by_index.values())
