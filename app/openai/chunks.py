"""An answer as the stream of chunks that clients read which asked for one: whole, as it was stored before."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Chunk = dict[str, Any]

_IN_A_LIST = "tool_calls"  # whose pieces a stream numbers


def events(completion: Mapping[str, Any], *, has_usage: bool) -> Iterator[str]:
    """The server-sent events of a chat.completion, and the one that says that it was all.

    With `has_usage`, the usage stands in a chunk without choices before the last event, if it is known.
    """
    for chunk in _chunks(completion, has_usage=has_usage):
        yield f"data: {json.dumps(chunk, ensure_ascii=False, separators=(',', ':'))}\n\n"
    yield "data: [DONE]\n\n"


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
