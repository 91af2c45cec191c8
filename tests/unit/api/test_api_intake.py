"""A submission becomes a batch and its jobs, and every fault of it a problem that says what and where."""

from typing import Any

import pytest

from app.errors import InvalidInput, Problem
from app.services.views import BadLine, NewJob
from tests.unit.api.submitted import ReadBatch

JOB = {"custom_id": "a", "text_data": "Hello"}


def problems_of(lines: Any) -> list[Problem]:
    return [problem for line in lines if isinstance(line, BadLine) for problem in line.problems]


def test_a_batch_in_one_document_is_read_whole(read: ReadBatch) -> None:
    batch, lines = read(
        {
            "name": "n",
            "metadata": {"k": "v"},
            "max_attempts": 2,
            "expires_in_seconds": 60,
            "on_invalid": "skip",
            "options": {"temperature": 0},
            "jobs": [JOB],
        }
    )
    assert (batch.owner, batch.name, batch.provider, batch.metadata) == ("alice", "n", None, {"k": "v"})
    assert (batch.max_attempts, batch.expires_in_seconds, batch.skip_invalid) == (2, 60, True)
    assert lines == [NewJob("a", "Hello", {}, None, "/jobs/0")]


def test_a_batch_in_lines_takes_the_rest_from_the_query(read: ReadBatch) -> None:
    batch, lines = read(
        [JOB],
        name="5",
        metadata='{"k": "v"}',
        max_attempts="2",
        expires_in_seconds="1.5",
        on_invalid="skip",
        options='{"max_tokens": 5}',
    )
    assert (batch.name, batch.metadata, batch.options) == ("5", {"k": "v"}, {"max_tokens": 5})
    assert (batch.max_attempts, batch.expires_in_seconds, batch.skip_invalid) == (2, 1.5, True)
    assert lines == [NewJob("a", "Hello", {}, 1, "")]


def test_a_job_keeps_only_the_options_that_it_says_itself(read: ReadBatch) -> None:
    own = {"max_tokens": 1, "roles": {"user": "u"}}
    _, lines = read(
        {"options": {"max_tokens": 9, "top_p": 1, "roles": {"model": "m"}}, "jobs": [JOB | {"options": own}]}
    )
    assert lines == [NewJob("a", "Hello", own, None, "/jobs/0")]


def test_what_is_absent_stays_absent_and_zero_stays_zero(read: ReadBatch) -> None:
    _, lines = read({"jobs": [JOB | {"options": {"temperature": 0, "top_p": 0, "system_prompt": ""}}, JOB]})
    assert [line.options for line in lines if isinstance(line, NewJob)] == [
        {"temperature": 0, "top_p": 0, "system_prompt": ""},
        {},
    ]


def test_one_job_becomes_a_batch_of_its_own(read_single: ReadBatch) -> None:
    batch, lines = read_single({"text_data": "Hello", "options": {"max_tokens": 5}, "name": "n"})
    assert (batch.name, batch.options) == ("n", {})
    assert lines == [NewJob("job", "Hello", {"max_tokens": 5})]


def test_one_job_is_refused_with_everything_that_is_wrong_with_it(read_single: ReadBatch) -> None:
    with pytest.raises(InvalidInput) as raised:
        read_single({"text_data": "x" * 101, "options": {"max_tokens": 65}})
    assert [problem.pointer for problem in raised.value.problems] == ["/options/max_tokens", "/text_data"]


FAULTS: list[tuple[str, dict[str, Any], Problem]] = [
    ("no id", {"text_data": "x"}, Problem("Required field is missing", "/custom_id")),
    (
        "empty id",
        JOB | {"custom_id": ""},
        Problem("String should have at least 1 character", "/custom_id", None, 1, ""),
    ),
    ("no prompt", {"custom_id": "a"}, Problem("Required field is missing", "/text_data")),
    (
        "a number for a prompt",
        JOB | {"text_data": 5},
        Problem("Input should be a valid string", "/text_data", None, None, 5),
    ),
    ("an unknown field", JOB | {"Text": "y"}, Problem("Unknown field", "/Text", None, None, "y")),
    ("null", JOB | {"options": None}, Problem("Leave the field out instead of sending null", "/options")),
    (
        "no tokens",
        JOB | {"options": {"max_tokens": 0}},
        Problem("Input should be greater than or equal to 1", "/options/max_tokens", None, 1, 0),
    ),
    (
        "too many tokens",
        JOB | {"options": {"max_tokens": 65}},
        Problem("Input should be less than or equal to 64", "/options/max_tokens", None, 64, 65),
    ),
    (
        "true for a number",
        JOB | {"options": {"max_tokens": True}},
        Problem("Input should be a valid integer", "/options/max_tokens", None, None, True),
    ),
    (
        "true for a share",
        JOB | {"options": {"top_p": True}},
        Problem("Input should be a valid number", "/options/top_p", None, None, True),
    ),
    (
        "too hot",
        JOB | {"options": {"temperature": 1.5}},
        Problem("Input should be less than or equal to 1", "/options/temperature", None, 1, 1.5),
    ),
    (
        "a number as text",
        JOB | {"options": {"temperature": "0.5"}},
        Problem("Input should be a valid number", "/options/temperature", None, None, "0.5"),
    ),
    (
        "a number without end",
        JOB | {"options": {"temperature": 10**300}},
        Problem("Input should be less than or equal to 1", "/options/temperature", None, 1, "1" + "0" * 199),
    ),
    (
        "history as text",
        JOB | {"options": {"prompt_history": "[]"}},
        Problem("Input should be a valid list", "/options/prompt_history", None, None, "[]"),
    ),
    (
        "a turn without content",
        JOB | {"options": {"prompt_history": [{"role": "user"}]}},
        Problem("Required field is missing", "/options/prompt_history/0/content"),
    ),
    (
        "a system turn",
        JOB | {"options": {"prompt_history": [{"role": "system", "content": "x"}]}},
        Problem(
            "The role 'system' is not part of a history; use options.system_prompt instead",
            "/options/prompt_history/0/role",
            None,
            "assistant, model, user",
            "system",
        ),
    ),
    (
        "a system turn by renaming",
        JOB | {"options": {"roles": {"user": "system"}, "prompt_history": [{"role": "system", "content": "x"}]}},
        Problem(
            "The role 'system' is not part of a history; use options.system_prompt instead",
            "/options/prompt_history/0/role",
            None,
            "assistant, model, system, user",
            "system",
        ),
    ),
    (
        "an unknown role",
        JOB | {"options": {"prompt_history": [{"role": "user", "content": ""}, {"role": "bob", "content": ""}]}},
        Problem(
            "Unknown role; name it in options.roles if it stands for one of the two",
            "/options/prompt_history/1/role",
            None,
            "assistant, model, user",
            "bob",
        ),
    ),
    (
        "a prompt too long",
        JOB | {"text_data": "x" * 101},
        Problem("The prompt has 101 characters; at most 100 are allowed", "/text_data", None, 100, 101),
    ),
    (
        "texts too long together",
        JOB | {"options": {"system_prompt": "x" * 40, "prompt_history": [{"role": "user", "content": "y" * 60}]}},
        Problem(
            "Prompt, system prompt and history have 109 characters together; at most 100 are allowed",
            "",
            None,
            100,
            109,
        ),
    ),
]


@pytest.mark.parametrize(("job", "problem"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
def test_a_fault_of_a_job_says_what_and_where_in_a_line_and_in_a_document(
    read: ReadBatch, job: dict[str, Any], problem: Problem
) -> None:
    _, lines = read([JOB, job])
    assert problems_of(lines) == [
        Problem(problem.message, problem.pointer, 2, problem.limit, problem.value),
    ]
    _, lines = read({"jobs": [JOB, job]})
    assert problems_of(lines) == [
        Problem(problem.message, f"/jobs/1{problem.pointer}", None, problem.limit, problem.value)
    ]


def test_a_role_named_in_the_options_of_the_batch_is_known(read: ReadBatch) -> None:
    history = {"prompt_history": [{"role": "bob", "content": ""}, {"role": "assistant", "content": ""}]}
    _, lines = read({"options": {"roles": {"user": "bob"}}, "jobs": [JOB | {"options": history}]})
    assert problems_of(lines) == []


def test_every_fault_of_a_job_is_told_at_once(read: ReadBatch) -> None:
    _, lines = read([{"custom_id": 1, "text_data": "", "x": 1, "options": {"max_tokens": 0, "top_p": 2}}])
    assert [problem.pointer for problem in problems_of(lines)] == [
        "/custom_id",
        "/text_data",
        "/options/max_tokens",
        "/options/top_p",
        "/x",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{\n", "Not valid JSON: EOF while parsing an object at column 1"),
        (b'{"a": "\xff"}\n', "Not valid JSON: invalid unicode code point at column 8"),
        (b'{"a": "\\ud800"}\n', "Not valid JSON: unexpected end of hex escape at column 14"),
        (b'{"a": NaN}\n', "Not valid JSON: expected value at column 7"),
        (b"[" * 300 + b"\n", "Not valid JSON: recursion limit exceeded at column 202"),
        (b'{"a": {"b": [1e999]}}\n', "Numbers must be finite."),
        (b'{"a": {"b": ["\\u0000"]}}\n', "Text must not contain U+0000."),
        (b"7\n", "Input should be a valid dictionary or instance of JobIn"),
        (b'"' + b"x" * 2000 + b'"\n', "A line takes at most 2000 bytes"),
    ],
)
def test_a_line_that_is_no_job_is_told_by_its_number(read: ReadBatch, line: bytes, message: str) -> None:
    _, lines = read([JOB, b"\n", line, JOB])
    (problem,) = problems_of(lines)
    assert (problem.line, problem.message) == (3, message)
    assert len(lines) == 3


def test_a_place_inside_a_line_is_told(read: ReadBatch) -> None:
    _, lines = read([b'{"a": {"b/c": [1, 1e999]}}\n'])
    assert [problem.pointer for problem in problems_of(lines)] == ["/a/b~1c/1"]


def test_a_value_is_shown_in_two_hundred_characters(read: ReadBatch) -> None:
    _, lines = read([JOB | {"x": "y" * 1000}, JOB | {"x": {"z": ["y" * 1000]}}, JOB | {"k" * 1000: 10**500}])
    problems = problems_of(lines)
    assert [len(str(problem.value)) for problem in problems] == [200, 200, 200]
    assert problems[2].pointer == "/" + "k" * 200


HEAD_FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"jobs": []}, "/jobs", "List should have at least 1 item after validation, not 0"),
    ({"jobs": {}}, "/jobs", "Input should be a valid list"),
    ({}, "/jobs", "Required field is missing"),
    ({"jobs": [JOB], "job": 1}, "/job", "Unknown field"),
    ({"jobs": [JOB], "metadata": {"a": 1}}, "/metadata/a", "Input should be a valid string"),
    ({"jobs": [JOB], "metadata": {"": "x"}}, "/metadata/", "String should have at least 1 character"),
    ({"jobs": [JOB], "metadata": {str(n): "" for n in range(17)}}, "/metadata", "at most 16 items"),
    ({"jobs": [JOB], "name": "x" * 201}, "/name", "String should have at most 200 characters"),
    ({"jobs": [JOB], "max_attempts": 21}, "/max_attempts", "less than or equal to 20"),
    ({"jobs": [JOB], "expires_in_seconds": 0}, "/expires_in_seconds", "greater than or equal to 1"),
    ({"jobs": [JOB], "on_invalid": "x"}, "/on_invalid", "Input should be 'reject' or 'skip'"),
    ({"jobs": [JOB], "options": {"max_tokens": 65}}, "/options/max_tokens", "less than or equal to 64"),
    ({"jobs": [JOB], "options": {"maxtokens": 65}}, "/options/maxtokens", "Unknown field"),
    ({"jobs": [JOB], "provider": None}, "/provider", "Leave the field out instead of sending null"),
]


@pytest.mark.parametrize(("content", "pointer", "message"), HEAD_FAULTS)
def test_a_fault_of_the_batch_itself_is_told_alone(
    read: ReadBatch, content: dict[str, Any], pointer: str, message: str
) -> None:
    with pytest.raises(InvalidInput) as raised:
        read(content)
    (problem,) = raised.value.problems
    assert problem.pointer == pointer
    assert message in problem.message


def test_of_many_faults_the_first_hundred_are_told_and_the_number_of_all(read: ReadBatch) -> None:
    with pytest.raises(InvalidInput) as raised:
        read({f"x{n}": 1 for n in range(150)} | {"jobs": [JOB]})
    assert (len(raised.value.problems), raised.value.total) == (100, 150)


def test_a_document_takes_no_query(read: ReadBatch) -> None:
    with pytest.raises(InvalidInput, match="Query parameter 'name': Unknown field"):
        read({"jobs": [JOB]}, name="n")
