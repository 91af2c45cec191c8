"""Chat messages and the words of a job: nothing is lost on the way, and what would be is said."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat import chat_of_job, completion_of, job_of_chat, problems_in_v2
from app.errors import InvalidInput

MODEL = "meta-llama/llama-3.2-1b-instruct"
IMAGE = {"type": "image_url", "image_url": {"url": "https://images.example/1.png"}}


def said(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def chat(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": list(messages), **more}


def there_and_back(body: dict[str, Any]) -> dict[str, Any]:
    text_data, options = job_of_chat(body)
    return chat_of_job(text_data, options, model=body["model"])


def pointers_in_v2(body: dict[str, Any]) -> list[str | None]:
    return [problem.pointer for problem in problems_in_v2(*job_of_chat(body))]


def pointers_refused(body: dict[str, Any]) -> list[str | None]:
    with pytest.raises(InvalidInput) as refused:
        job_of_chat(body)
    return [problem.pointer for problem in refused.value.problems]


DIALOGUE = chat(
    said("system", "Be brief"),
    said("user", "hi"),
    said("assistant", "hello"),
    said("user", "List three rivers"),
    max_tokens=64,
    temperature=0,
    top_p=0.9,
)


def test_a_dialogue_is_a_prompt_with_a_system_prompt_and_a_history() -> None:
    text_data, options = job_of_chat(DIALOGUE)
    assert text_data == "List three rivers"
    assert options == {
        "system_prompt": "Be brief",
        "prompt_history": [{"role": "user", "content": "hi"}, {"role": "model", "content": "hello"}],
        "model": MODEL,
        "max_tokens": 64,
        "temperature": 0,
        "top_p": 0.9,
    }
    assert list(problems_in_v2(text_data, options)) == []


MESSAGES = st.lists(
    st.builds(
        said,
        st.sampled_from(["system", "developer", "user", "assistant", "tool"]),
        st.one_of(
            st.text(),
            st.lists(
                st.one_of(st.builds(lambda text: {"type": "text", "text": text}, st.text()), st.just(IMAGE)), min_size=2
            ),
        ),
    ),
    min_size=1,
)


@given(MESSAGES)
def test_whatever_is_said_comes_back_as_it_was(messages: list[dict[str, Any]]) -> None:
    body = chat(*messages, stop=["\n"], max_tokens=5)
    assert there_and_back(body) == body


def test_what_v2_can_say_is_not_kept_twice() -> None:
    assert "chat" not in job_of_chat(DIALOGUE)[1]


def test_a_single_part_of_text_is_that_text() -> None:
    body = chat(said("user", [{"type": "text", "text": "hi"}]))
    assert job_of_chat(body) == ("hi", {"model": MODEL})


def test_parts_of_text_are_joined_for_v2_and_kept_for_others() -> None:
    body = chat(said("user", [{"type": "text", "text": "one, "}, {"type": "text", "text": "two"}]))
    assert job_of_chat(body)[0] == "one, two"
    assert pointers_in_v2(body) == []
    assert there_and_back(body) == body


def test_null_is_as_good_as_absent() -> None:
    assert job_of_chat(chat(said("user", "hi"), temperature=None, tools=None)) == ("hi", {"model": MODEL})


def test_the_new_name_of_max_tokens_is_understood_and_kept() -> None:
    body = chat(said("user", "hi"), max_completion_tokens=7)
    assert job_of_chat(body)[1]["max_tokens"] == 7
    assert there_and_back(body) == body


def test_renamed_roles_come_out_as_those_that_they_stand_for() -> None:
    history = [{"role": "Ann", "content": "hi"}, {"role": "Bot", "content": "hello"}]
    options = {"roles": {"user": "Ann", "model": "Bot"}, "prompt_history": history}
    messages = chat_of_job("go on", options, model=MODEL)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (chat(said("user", [{"type": "text", "text": "what is it?"}, IMAGE])), "/messages/0/content/1"),
        (chat(said("user", "hi"), response_format={"type": "json_object"}), "/response_format"),
        (chat(said("user", "hi"), tools=[{"type": "function"}]), "/tools"),
        (chat(said("user", "hi"), said("tool", "4"), said("user", "so?")), "/messages/1"),
        (chat(said("user", "hi"), said("system", "be brief"), said("user", "so?")), "/messages/1/role"),
        (chat(said("user", "hi"), said("assistant", "The answer is")), "/messages/1"),
        (chat(said("user", "")), "/messages"),
    ],
)
def test_what_v2_would_miss_is_pointed_at(body: dict[str, Any], pointer: str) -> None:
    assert pointers_in_v2(body) == [pointer]
    assert there_and_back(body) == body


def test_what_changes_no_answer_for_the_worse_is_no_problem_in_v2() -> None:
    body = chat(said("user", "hi"), seed=1, stop=["."], response_format={"type": "text"}, tools=[])
    assert pointers_in_v2(body) == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (chat(said("user", "hi"), stream=True), "/stream"),
        (chat(said("user", "hi"), n=2), "/n"),
        (chat(said("user", "hi"), max_tokens="5"), "/max_tokens"),
        (chat(said("user", "hi"), temperature=True), "/temperature"),
        (chat(), "/messages"),
        ({"model": MODEL, "messages": "hi"}, "/messages"),
        (chat("hi"), "/messages/0"),  # type: ignore[arg-type]  # it is wrong on purpose
        (chat(said("bot", "hi")), "/messages/0/role"),
        (chat(said("user", None)), "/messages/0/content"),
        (chat(said("user", [])), "/messages/0/content"),
        (chat(said("user", [{"type": "text"}])), "/messages/0/content"),
    ],
)
def test_what_is_no_job_is_refused_with_its_place(body: dict[str, Any], pointer: str) -> None:
    assert pointers_refused(body) == [pointer]


def test_an_answer_is_a_completion() -> None:
    details = {"model": "other", "finish_reason": "length", "usage": {"total_tokens": 3}}
    created = datetime(2025, 3, 1, tzinfo=UTC)
    completion = completion_of("Nile", details, id_="chatcmpl-1", model=MODEL, created=created)
    assert completion["choices"][0]["message"] == {"role": "assistant", "content": "Nile", "refusal": None}
    assert completion["choices"][0]["finish_reason"] == "length"
    assert (completion["created"], completion["model"]) == (1740787200, "other")
    assert completion["usage"] == {"total_tokens": 3}


def test_null_content_stays_null_in_a_completion() -> None:
    completion = completion_of(
        "", {"message": {"content": None}}, id_="c", model=MODEL, created=datetime(2025, 3, 1, tzinfo=UTC)
    )
    assert completion["choices"][0]["message"]["content"] is None
    assert "usage" not in completion
