"""Reading V2 results: answers, failures, and what is neither."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.providers.base import Answer, Failure, Origin, Reading, Unreadable
from app.providers.hive_v2 import HiveV2
from app.providers.readings import read_result

MESSAGE_OUTPUT = [
    {"time": 0, "choices": [{"message": {"role": "assistant", "content": "Nile"}, "finish_reason": "stop"}]}
]


def entry(output: object = "Nile", code: object = "0", message: object = "SUCCESS", **given: Any) -> dict[str, Any]:
    charge = given.pop("charge", 0.0002)
    task = {"id": "t-1", "model": "llama-3.2-1b-instruct", "charge": charge, "text": "List three rivers"}
    return {"status": {"code": code, "message": message}, "response": {"input": task, "output": output} | given}


def result(*entries: object, **fields: Any) -> dict[str, Any]:
    return {"id": "t-1", "metadata": "job-17", "status": list(entries), "from_cache": False} | fields


def read(value: object, *permanent_codes: str) -> Reading:
    return read_result(json.dumps(value).encode(), permanent_codes)


def answer(value: object) -> Answer:
    reading = read(value)
    assert isinstance(reading, Answer), reading
    return reading


def failure(value: object, *permanent_codes: str) -> Failure:
    reading = read(value, *permanent_codes)
    assert isinstance(reading, Failure), reading
    return reading


# --- answers ---


def test_a_result_is_an_answer_with_its_origin_cost_and_details() -> None:
    assert read(result(entry(MESSAGE_OUTPUT))) == Answer(
        origin=Origin(("t-1",), "job-17"),
        text="Nile",
        cost_nano=200_000,
        details={"model": "llama-3.2-1b-instruct", "finish_reason": "stop", "from_cache": False},
    )


@pytest.mark.parametrize("code", ["0", 0, 0.0, " 0 "])
@pytest.mark.parametrize("message", ["SUCCESS", "OK", None])
def test_code_zero_is_a_success_whatever_its_type(code: object, message: object) -> None:
    assert answer(result(entry(code=code, message=message))).text == "Nile"


@pytest.mark.parametrize("status", [{"message": "SUCCESS"}, {"code": None, "message": "success"}])
def test_a_missing_code_with_the_message_success_is_a_success(status: object) -> None:
    assert answer(result(entry() | {"status": status})).text == "Nile"


def test_a_repeat_with_unknown_keys_reads_as_the_first() -> None:
    again = result(entry(), resent_on="2025-03-01T10:00:02Z", resent_by="x", user_id=1, code=200, callback="u", new={})
    assert read(again) == read(result(entry()))


def test_an_answer_from_the_cache_belongs_to_the_top_level_id() -> None:
    cached = entry()
    cached["response"]["input"]["id"] = "somebody-else"
    found = answer(result(cached, from_cache=True))
    assert found.origin.task_ids == ("t-1",)
    assert found.details["from_cache"] is True


@pytest.mark.parametrize(
    ("fields", "task_ids"),
    [
        ({}, ()),
        ({"id": "a", "task_id": "b"}, ("a", "b")),
        ({"id": "a", "task_id": "a"}, ("a",)),
        ({"id": None, "task_id": "b"}, ("b",)),
        ({"id": 17}, ("17",)),
    ],
)
def test_the_ids_of_the_task_are_those_at_the_top(fields: dict[str, object], task_ids: tuple[str, ...]) -> None:
    assert answer({"status": [entry()]} | fields).origin.task_ids == task_ids


@pytest.mark.parametrize(
    ("metadata", "read_as"),
    [("job-17", "job-17"), ("", ""), (None, None), (17, "17"), ({"job": "ü"}, '{"job": "ü"}'), (False, "false")],
)
def test_metadata_is_text_and_null_is_nothing(metadata: object, read_as: str | None) -> None:
    assert answer(result(entry(), metadata=metadata)).origin.metadata == read_as


def test_a_single_status_object_counts_as_a_list_of_one() -> None:
    assert answer(result() | {"status": entry()}).text == "Nile"


def test_several_successes_are_joined_by_newlines_and_their_costs_added() -> None:
    found = answer(result(entry("Nile"), entry(""), entry("Po", charge="0.0003")))
    assert (found.text, found.cost_nano) == ("Nile\nPo", 700_000)


def test_one_success_with_text_is_enough() -> None:
    assert answer(result(entry(code="5", output=None), entry("Po"), entry(output=None))).text == "Po"


def test_an_empty_text_is_an_answer() -> None:
    assert answer(result(entry(""))).text == ""


@pytest.mark.parametrize("where", ["top", "response", "output"])
def test_usage_is_kept_where_there_is_any(where: str) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    shapes = {
        "top": result(entry(), usage=usage),
        "response": result(entry(usage=usage)),
        "output": result(entry([{"text": "Nile", "usage": usage}])),
    }
    assert answer(shapes[where]).details["usage"] == usage


# --- failures ---


def test_a_failed_task_says_its_code_and_both_messages() -> None:
    failed = {"status": {"code": "5", "message": "MODEL_ERROR"}}
    reading = read(result(failed, error="inference failed"))
    assert reading == Failure(Origin(("t-1",), "job-17"), "5", "MODEL_ERROR: inference failed", is_retryable=True)


@pytest.mark.parametrize(
    ("code", "message", "read_as"),
    [
        ("5", "X", "5"),
        (5, "X", "5"),
        (-1, "X", "-1"),
        ("E_LONG", "X", "E_LONG"),
        ("5", "SUCCESS", "5"),
        (None, "TIMEOUT", "task_failed"),
        (None, None, "task_failed"),
        ("", "TIMEOUT", "task_failed"),
        (True, "X", "true"),
        (False, "X", "false"),
        ({"a": 1}, "X", '{"a": 1}'),
    ],
)
def test_any_other_code_is_a_failed_task(code: object, message: object, read_as: str) -> None:
    assert failure(result(entry(code=code, message=message))).code == read_as


@pytest.mark.parametrize("status", [None, "SUCCESS", [], 0, {}])
def test_an_entry_without_a_status_is_no_success(status: object) -> None:
    assert failure(result(entry() | {"status": status})).is_retryable


@pytest.mark.parametrize("error", ["inference failed", {"message": "inference failed"}])
@pytest.mark.parametrize("entries", [[], [entry()]])
def test_a_top_level_error_is_a_failed_task_whatever_else_is_there(error: object, entries: list[object]) -> None:
    reading = failure(result(*entries, error=error))
    assert (reading.code, reading.is_retryable) == ("task_failed", True)
    assert "inference failed" in reading.message


@pytest.mark.parametrize("error", [None, "", False, {}])
def test_an_empty_error_is_none(error: object) -> None:
    assert answer(result(entry(), error=error)).text == "Nile"


@pytest.mark.parametrize("code", ["5", 5])
def test_a_code_that_the_operator_listed_is_not_retried(code: object) -> None:
    failed = result({"status": {"code": code, "message": "TOO_LONG"}})
    assert not failure(failed, "5", "6").is_retryable
    assert failure(failed, "6").is_retryable


def test_the_provider_reads_with_the_codes_of_its_settings() -> None:
    provider = HiveV2("http://127.0.0.1", ("k_1",), permanent_codes=("5",))
    bodies = [json.dumps(result(entry(code=code))).encode() for code in ("5", "6")]
    readings = [provider.read(body) for body in bodies]
    assert [reading.is_retryable for reading in readings if isinstance(reading, Failure)] == [False, True]


def test_a_failed_task_may_have_a_price() -> None:
    assert failure(result(entry(code="5"))).cost_nano == 200_000


@pytest.mark.parametrize("output", [None, [], {}, 5, [{"message": "ok"}], [{"labels": ["river"]}]])
def test_a_success_whose_text_is_not_recognised_was_paid_for_and_is_not_retried(output: object) -> None:
    reading = failure(result(entry(output)))
    assert (reading.code, reading.is_retryable, reading.cost_nano) == ("text_not_recognised", False, 200_000)


def test_a_success_without_a_response_has_no_recognisable_text() -> None:
    assert failure(result({"status": {"code": "0"}})).code == "text_not_recognised"


def test_what_the_error_columns_hold_is_never_too_long() -> None:
    reading = failure(result(entry(code="c" * 999, message="m" * 999), error="e" * 999))
    assert (len(reading.code), len(reading.message)) == (64, 500)


# --- neither ---


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b'{"id": "t-1", "status": [',
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"id": "t-1"}',
        b'{"status": []}',
        b'{"status": "done"}',
        b'{"status": null, "error": null}',
        b'{"status": [], "metadata": "\\u0000"}',
        b'{"error": "x", "n": 1e999}',
        b'{"error": "x", "n": NaN}',
        b'{"error": "\\ud800"}',
        b'{"error": "\xff"}',
        b'{"error": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_what_is_no_result_is_unreadable_and_says_why(body: bytes) -> None:
    reading = read_result(body, ())
    assert isinstance(reading, Unreadable)
    assert 0 < len(reading.reason) <= 500


# --- whatever comes ---

WORDS = """id task_id metadata status code message response output choices text content input charge error usage model
finish_reason from_cache x"""
KEYS = st.sampled_from(WORDS.split())
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**400), 1e308, 5e-324, -0.0]),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["0", "SUCCESS", "NaN", "1e999999999", "-1", "1e-999999999"]),
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=25
)
RESULTS = st.builds(
    lambda entries, more: more | {"status": entries},
    st.lists(st.fixed_dictionaries({"status": JSON | st.just({"code": 0}), "response": JSON}), max_size=3),
    st.dictionaries(KEYS, JSON, max_size=3),
)


@given(JSON | RESULTS)
def test_reading_never_raises_on_json(value: object) -> None:
    reading = read(value, "5")
    assert isinstance(reading, Answer | Failure | Unreadable)
    if not isinstance(reading, Unreadable):
        assert reading.cost_nano is None or 0 <= reading.cost_nano <= 10**15
    if isinstance(reading, Failure):
        assert 0 < len(reading.code) <= 64
        assert 0 < len(reading.message) <= 500


@given(st.binary() | st.text().map(str.encode) | st.binary().map(lambda some: b'{"status": [' + some + b"]}"))
def test_reading_never_raises_on_bytes(body: bytes) -> None:
    assert isinstance(read_result(body, ()), Answer | Failure | Unreadable)
