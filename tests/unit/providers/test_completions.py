"""What a chat completion says, whole or as a stream, whatever server wrote it."""

import json
from typing import Any

import pytest

from app.providers.base import Answer, Failure, Unreadable
from app.providers.completions import read_completion

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def completion(choice: object, **more: Any) -> bytes:
    return json.dumps({"id": "chatcmpl-1", "model": "m", "choices": [choice], "usage": USAGE} | more).encode()


def stream(*chunks: object, end: str = "data: [DONE]\n\n", line: str = "\n") -> bytes:
    events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + end
    return events.replace("\n", line).encode()


def chunk(finish_reason: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def answer(body: bytes) -> Answer:
    reading = read_completion(body)
    assert isinstance(reading, Answer), reading
    return reading


def test_a_completion_is_an_answer_with_its_details() -> None:
    said = answer(completion({"message": {"role": "assistant", "content": "Nile"}, "finish_reason": "stop"}))
    assert (said.text, said.origin.task_ids, said.cost_nano) == ("Nile", ("chatcmpl-1",), None)
    assert said.details == {"model": "m", "finish_reason": "stop", "usage": USAGE}


@pytest.mark.parametrize(
    "choice",
    [
        {"message": {"content": [{"type": "text", "text": "Ni"}, {"type": "text", "text": "le"}]}},
        {"text": "Nile"},
        {"message": {"content": "Nile"}, "logprobs": None},
    ],
)
def test_the_text_is_found_where_servers_put_it(choice: object) -> None:
    assert answer(completion(choice)).text == "Nile"


def test_null_content_is_an_answer_without_text() -> None:
    said = answer(completion({"message": {"role": "assistant", "content": None}, "finish_reason": "length"}))
    assert said.text == ""
    assert said.details["message"] == {"content": None}
    assert said.details["finish_reason"] == "length"


def test_calls_of_tools_are_kept_beside_the_text() -> None:
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    said = answer(completion({"message": {"content": None, "tool_calls": calls}, "finish_reason": "tool_calls"}))
    assert said.details["message"] == {"content": None, "tool_calls": calls}


def test_a_cost_that_is_told_is_kept() -> None:
    said = answer(completion({"message": {"content": "x"}}, usage=USAGE | {"cost": 0.0002}))
    assert said.cost_nano == 200_000


@pytest.mark.parametrize("choice", [{}, {"message": {"role": "assistant"}}, "text", None])
def test_an_answer_without_a_place_for_text_is_not_recognised_and_not_paid_again(choice: object) -> None:
    reading = read_completion(completion(choice))
    assert isinstance(reading, Failure)
    assert (reading.code, reading.is_retryable) == ("text_not_recognised", False)


def test_an_error_in_a_success_is_a_failed_task() -> None:
    reading = read_completion(b'{"error": {"message": "inference failed", "code": "5"}}')
    assert isinstance(reading, Failure)
    assert (reading.code, reading.message, reading.is_retryable) == ("5", "inference failed", True)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"choices": "x"}', b'{"choices": [{"mess'])
def test_what_is_no_completion_is_unreadable(body: bytes) -> None:
    assert isinstance(read_completion(body), Unreadable)


@pytest.mark.parametrize("line", ["\n", "\r\n"])
def test_a_stream_is_put_together(line: str) -> None:
    usage = {"choices": [], "usage": USAGE}
    body = stream(
        chunk(role="assistant", content=""), chunk(content="Ni"), chunk(content="le"), chunk("stop"), usage, line=line
    )
    said = answer(body)
    assert (said.text, said.origin.task_ids) == ("Nile", ("c",))
    assert said.details == {"model": "m", "finish_reason": "stop", "usage": USAGE}


def test_comments_and_names_of_events_are_looked_past() -> None:
    body = b": keep-alive\n\nevent: message\n" + stream(chunk(content="Nile"), chunk("stop"))
    assert answer(body).text == "Nile"


def test_a_stream_is_over_without_the_mark_if_the_answer_is() -> None:
    assert answer(stream(chunk(content="Nile"), chunk("stop"), end="")).text == "Nile"


def test_a_stream_that_was_cut_is_no_answer() -> None:
    reading = read_completion(stream(chunk(content="Ni"), end=""))
    assert reading == Unreadable("The stream ended before the answer did.")
    cut = stream(chunk(content="Nile"))[:-30]
    assert isinstance(read_completion(cut), Unreadable)


def test_an_error_in_a_stream_is_a_failed_task() -> None:
    reading = read_completion(stream(chunk(content="Ni"), {"error": {"message": "overloaded"}}, end=""))
    assert isinstance(reading, Failure)
    assert reading.message == "overloaded"


def test_streamed_calls_of_tools_grow_by_their_index() -> None:
    def call(index: int, **function: str) -> dict[str, Any]:
        return {"index": index, "function": function}

    body = stream(
        chunk(tool_calls=[call(0, name="f", arguments='{"a"')]),
        chunk(tool_calls=[call(1, name="g", arguments="{}"), call(0, arguments=": 1}")]),
        chunk("tool_calls"),
    )
    message: Any = answer(body).details["message"]
    functions = [each["function"] for each in message["tool_calls"]]
    assert functions == [{"name": "f", "arguments": '{"a": 1}'}, {"name": "g", "arguments": "{}"}]


def test_a_stream_with_null_content_is_an_answer_without_text() -> None:
    assert answer(stream(chunk(role="assistant", content=None), chunk("length"))).text == ""


def test_only_the_first_choice_of_a_stream_counts() -> None:
    other = {"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": "stop"}]}
    assert answer(stream(chunk(content="yes"), other, chunk("stop"))).text == "yes"
