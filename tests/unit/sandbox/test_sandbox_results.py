"""Answers, charges and result bodies."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from app.sandbox.results import answer_for, bytes_of, charge_for, result_of
from app.sandbox.submissions import Submission, hash_of
from app.sandbox.tasks import Task
from app.sandbox.words import parse_switches

AT = datetime(2025, 3, 1, 10, 0, 2, 120_999, tzinfo=UTC)
ANSWER = answer_for("List three rivers", None)


def make_task(words: str = "shape=A") -> Task:
    submission = Submission("List three rivers", "http://127.0.0.1/cb", "job-17", None)
    switches = parse_switches(words)
    return Task("t-1", submission, switches, 1, AT, 0.0, Decimal("0.0002"), switches.fail, lambda: ANSWER)


def entry_of(words: str) -> Any:
    body: Any = result_of(make_task(words))
    return body["status"][0]


def test_an_answer_carries_the_digest_of_its_prompt() -> None:
    assert hash_of("a prompt")[:12] in answer_for("a prompt", None)
    assert answer_for("a prompt", None) == answer_for("a prompt", None)


def test_long_prompts_that_begin_alike_have_different_answers() -> None:
    assert answer_for("x" * 500 + "1", None) != answer_for("x" * 500 + "2", None)


def test_a_system_prompt_shows_in_the_answer() -> None:
    assert "Be brief" in answer_for("a prompt", "Be brief")


def test_the_charge_follows_the_length_and_has_a_floor() -> None:
    assert charge_for("x" * 2000, None) == Decimal("0.0004")
    assert charge_for("x" * 1000, "y" * 1000) == Decimal("0.0004")
    assert charge_for("x", None) == Decimal("0.00005")


@pytest.mark.parametrize(
    ("shape", "response"),
    [
        (
            "A",
            {
                "output": [
                    {
                        "time": 0,
                        "choices": [
                            {"message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"},
                        ],
                    },
                ],
            },
        ),
        ("B", {"response": ANSWER, "_version": 2}),
        ("C", {"output": [{"time": 0, "text": ANSWER}]}),
        ("D", {"output": ANSWER}),
    ],
)
def test_the_text_is_where_the_shape_says(shape: str, response: dict[str, object]) -> None:
    got = entry_of(f"shape={shape}")["response"]
    assert {name: value for name, value in got.items() if name != "input"} == response


def test_shape_none_has_the_text_nowhere() -> None:
    assert ANSWER not in json.dumps(entry_of("shape=none"))


def test_a_result_names_task_time_and_metadata() -> None:
    body = result_of(make_task())
    assert (body["id"], body["metadata"], body["from_cache"]) == ("t-1", "job-17", False)
    assert body["created_on"] == "2025-03-01T10:00:02.120Z"
    assert "resent_on" not in body
    assert "error" not in body


def test_success_is_the_string_zero_unless_asked_for_an_int() -> None:
    assert entry_of("shape=A")["status"] == {"code": "0", "message": "SUCCESS"}
    assert entry_of("code=int")["status"]["code"] == 0
    assert isinstance(entry_of("code=int")["status"]["code"], int)


def test_the_charge_is_a_number_unless_asked_for_a_string() -> None:
    assert entry_of("shape=A")["response"]["input"]["charge"] == 0.0002
    assert entry_of("charge=string")["response"]["input"]["charge"] == "0.0002"


def test_a_cached_answer_has_a_foreign_input_id() -> None:
    body: Any = result_of(make_task("from_cache"))
    assert body["id"] == "t-1"
    assert body["from_cache"] is True
    assert body["status"][0]["response"]["input"]["id"] not in ("t-1", None)


def test_a_failed_task_has_a_code_an_error_and_no_response() -> None:
    body: Any = result_of(make_task("fail=5"))
    assert body["status"] == [{"status": {"code": "5", "message": "MODEL_ERROR"}}]
    assert body["error"] == "inference failed"


def test_a_failed_task_may_have_a_response_without_text() -> None:
    entry = entry_of("fail=5 with_response code=int")
    assert entry["status"]["code"] == 5
    assert entry["response"]["output"] == []
    assert entry["response"]["input"]["charge"] == 0.0002


def test_unknown_keys_come_at_every_level() -> None:
    body: Any = result_of(make_task("extra"))
    assert body["region"] == body["status"][0]["response"]["input"]["region"]
    assert body["code"] == 200


def test_a_malformed_body_is_cut() -> None:
    whole, cut = bytes_of(make_task()), bytes_of(make_task("malformed"))
    assert whole.startswith(cut)
    with pytest.raises(ValueError, match=r"JSON|delimiter|Unterminated|Expecting"):
        json.loads(cut)


def test_a_repeat_says_when_and_by_whom() -> None:
    body = result_of(make_task(), resent_on=AT)
    assert (body["resent_on"], body["resent_by"]) == ("2025-03-01T10:00:02.120Z", "sandbox")
