"""An answer as the stream of chunks that clients read which asked for one: as it comes, or as it was stored."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Chunk = dict[str, Any]

_DONE = "data: [DONE]\n\n"
_IN_A_LIST = "tool_calls"  # whose pieces a stream numbers


def events(completion: Mapping[str, Any], *, has_usage: bool) -> Iterator[str]:
    """The server-sent events of a chat.completion, and the one that says that it was all.

    With `has_usage`, the usage stands in a chunk without choices before the last event, if it is known.
    """
    for chunk in _chunks(completion, has_usage=has_usage):
        yield _event(chunk)
    yield _DONE


def handed_on(
    chunks: Iterable[Chunk], id_: str, fault: Callable[[], Mapping[str, Any] | None], *, has_usage: bool
) -> Iterator[str]:
    """The same while the answer is written, under our id, with the usage only for who asked for it.

    Its end is told when it is stored. `fault` then says why it isn't an answer, if it is none: an event with that error
    is the last one.
    """
    for chunk in chunks:
        usage = chunk.pop("usage", None)
        if chunk["choices"] or has_usage:
            yield _event(chunk | {"id": id_} | ({"usage": usage} if has_usage else {}))
    error = fault()
    yield _DONE if error is None else _event({"error": error})


def _event(value: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _chunks(completion: Mapping[str, Any], *, has_usage: bool) -> Iterator[Chunk]:
    head = {name: completion[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    head |= {"usage": None} if has_usage else {}
    for choice in completion["choices"]:
        index = {"index": choice["index"]}
        said = index | {"delta": _delta(choice["message"]), "logprobs": choice["logprobs"], "finish_reason": None}
        over = index | {"delta": {}, "finish_reason": choice["finish_reason"]}
        yield from (head | {"choices": [each]} for each in (said, over))
    if has_usage and "usage" in completion:
        yield head | {"choices": [], "usage": completion["usage"]}


def _delta(message: Mapping[str, Any]) -> Chunk:
    delta = dict(message)
    if delta.get(_IN_A_LIST):
        delta[_IN_A_LIST] = [{"index": index, **piece} for index, piece in enumerate(delta[_IN_A_LIST])]
    return delta
