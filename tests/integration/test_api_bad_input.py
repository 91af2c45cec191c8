"""Whatever is wrong with a request: a 4xx that says what and where, and nothing is stored."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.runtime import Runtime
from app.services import keys, status
from tests.integration.rest import Rest, body_of, jobs, unknown

JSON = "application/json"
NDJSON = "application/x-ndjson"
GOOD = {"custom_id": "good", "text_data": "Hello"}


@pytest.fixture
def api(client: FlaskClient, api_key: str, runtime: Runtime) -> Iterator[Rest]:
    """A client that stores nothing."""
    yield Rest(client, api_key)
    assert status.batches(runtime, None, None, 1).items == ()


def with_options(**options: Any) -> dict[str, Any]:
    return GOOD | {"options": options}


def history(role: str, **options: Any) -> dict[str, Any]:
    return with_options(prompt_history=[{"role": "user", "content": "a"}, {"role": role, "content": "b"}], **options)


DOCUMENTS: dict[str, tuple[bytes, str]] = {
    "no body": (b"", "Not valid JSON"),
    "not JSON": (b"{jobs", "line 1 column 2"),
    "two documents": (b"{} {}", "trailing characters at line 1 column 4"),
    "not UTF-8": (b'{"jobs": "\xff"}', "invalid unicode code point at line 1 column"),
    "UTF-16": ('{"jobs": []}'.encode("utf-16"), "Not valid JSON"),
    "nested deep": (b"[" * 100_000, "recursion limit exceeded at line 1 column"),
    "nested deep in its place": (b'{"jobs": ' + b"[" * 500 + b"]" * 500 + b"}", "recursion limit exceeded"),
    "NaN": (b'{"jobs": [NaN]}', "expected value at line 1 column 11"),
    "Infinity": (b'{"jobs": [-Infinity]}', "invalid number at line 1 column 12"),
    "1e999": (b'{"expires_in_seconds": 1e999}', "/expires_in_seconds"),
    "1e999 nested": (b'{"jobs": [{"options": {"temperature": 1e999}}]}', "/jobs/0/options/temperature"),
    "a lone surrogate": (b'{"name": "\\ud800"}', "unexpected end of hex escape at line 1 column"),
    "a lone surrogate nested": (b'{"jobs": [{"text_data": "a\\udfff"}]}', "lone leading surrogate"),
    "U+0000": (b'{"name": "a\\u0000"}', "/name"),
    "U+0000 nested": (b'{"jobs": [{"text_data": "a\\u0000"}]}', "/jobs/0/text_data"),
    "U+0000 in a name": (b'{"metadata": {"\\u0000": ""}}', "/metadata"),
    "a number of 5,000 digits": (b'{"max_attempts": ' + b"9" * 5000 + b"}", "number out of range at line 1 column"),
    "a number of 4,000 digits": (b'{"jobs": [1], "max_attempts": ' + b"9" * 4000 + b"}", "/max_attempts"),
    "a list": (b"[]", "Input should be"),
    "null": (b"null", "Input should be"),
}

ENVELOPES: dict[str, tuple[dict[str, Any], str]] = {
    "no jobs": ({}, "/jobs"),
    "empty jobs": ({"jobs": []}, "/jobs"),
    "jobs of a wrong type": ({"jobs": "x"}, "/jobs"),
    "an unknown field": ({"jobs": [GOOD], "colour": "red"}, "/colour"),
    "null for absent": ({"jobs": [GOOD], "name": None}, "/name"),
    "a name of a wrong type": ({"jobs": [GOOD], "name": 5}, "/name"),
    "an empty name": ({"jobs": [GOOD], "name": ""}, "/name"),
    "metadata of a wrong type": ({"jobs": [GOOD], "metadata": {"a": 1}}, "/metadata/a"),
    "too much metadata": ({"jobs": [GOOD], "metadata": {str(n): "" for n in range(17)}}, "/metadata"),
    "an unknown provider": ({"jobs": [GOOD], "provider": "hive_v9"}, "/provider"),
    "an unknown fallback": ({"jobs": [GOOD], "fallback_provider": "hive_v9"}, "/fallback_provider"),
    "a fallback on itself": ({"jobs": [GOOD], "fallback_provider": "hive_v2"}, "/fallback_provider"),
    "no attempts": ({"jobs": [GOOD], "max_attempts": 0}, "/max_attempts"),
    "true for attempts": ({"jobs": [GOOD], "max_attempts": True}, "/max_attempts"),
    "half an attempt": ({"jobs": [GOOD], "max_attempts": 1.5}, "/max_attempts"),
    "over before it begins": ({"jobs": [GOOD], "expires_in_seconds": 0}, "/expires_in_seconds"),
    "over in years": ({"jobs": [GOOD], "expires_in_seconds": 1e9}, "/expires_in_seconds"),
    "neither reject nor skip": ({"jobs": [GOOD], "on_invalid": "ignore"}, "/on_invalid"),
    "bad default options": ({"jobs": [GOOD], "options": {"max_tokens": 0}}, "/options/max_tokens"),
    "unknown default options": ({"jobs": [GOOD], "options": {"mode": "m"}}, "/options/mode"),
}

JOBS: dict[str, tuple[Any, str]] = {
    "not an object": (["x"], ""),
    "no custom_id": ({"text_data": "x"}, "/custom_id"),
    "an empty custom_id": ({"custom_id": "", "text_data": "x"}, "/custom_id"),
    "a custom_id that is too long": ({"custom_id": "x" * 513, "text_data": "x"}, "/custom_id"),
    "a number for custom_id": ({"custom_id": 1, "text_data": "x"}, "/custom_id"),
    "a repeated custom_id": (GOOD, "/custom_id"),
    "no prompt": ({"custom_id": "x"}, "/text_data"),
    "an empty prompt": ({"custom_id": "x", "text_data": ""}, "/text_data"),
    "a prompt that is too long": ({"custom_id": "x", "text_data": "x" * 64_001}, "/text_data"),
    "texts that are too long together": (
        {"custom_id": "x", "text_data": "x" * 32_001, "options": {"system_prompt": "x" * 32_000}},
        "",
    ),
    "an unknown field": (GOOD | {"model": "m"}, "/model"),
    "options of a wrong type": (GOOD | {"options": []}, "/options"),
    "an unknown option": (with_options(maxtokens=5), "/options/maxtokens"),
    "max_tokens 0": (with_options(max_tokens=0), "/options/max_tokens"),
    "max_tokens 2049": (with_options(max_tokens=2049), "/options/max_tokens"),
    "max_tokens as text": (with_options(max_tokens="5"), "/options/max_tokens"),
    "max_tokens true": (with_options(max_tokens=True), "/options/max_tokens"),
    "temperature 1.5": (with_options(temperature=1.5), "/options/temperature"),
    "temperature -0.1": (with_options(temperature=-0.1), "/options/temperature"),
    "temperature null": (with_options(temperature=None), "/options/temperature"),
    "top_p false": (with_options(top_p=False), "/options/top_p"),
    "system_prompt of a wrong type": (with_options(system_prompt=["x"]), "/options/system_prompt"),
    "history as text": (with_options(prompt_history='[{"role": "user"}]'), "/options/prompt_history"),
    "a turn without content": (with_options(prompt_history=[{"role": "user"}]), "/options/prompt_history/0/content"),
    "an unknown role": (history("bob"), "/options/prompt_history/1/role"),
    "a role that is not named": (history("bob", roles={"user": "rob"}), "/options/prompt_history/1/role"),
    "a system role": (history("system"), "/options/prompt_history/1/role"),
    "a role without a name": (with_options(roles={"user": ""}), "/options/roles/user"),
    "a role that there is not": (with_options(roles={"judge": "x"}), "/options/roles/judge"),
}

LINES: dict[str, bytes] = {
    "not JSON": b"{custom_id",
    "two documents": b"{} {}",
    "not UTF-8": b'{"custom_id": "\xff"}',
    "nested deep": b"[" * 100_000,
    "NaN": b'{"a": [NaN]}',
    "1e999": b'{"a": {"b": 1e999}}',
    "a lone surrogate": b'{"a": "\\ud800"}',
    "U+0000": b'{"a": ["\\u0000"]}',
    "a number of 5,000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "more than a megabyte": b'{"custom_id": "x", "text_data": "' + b"x" * 1_000_000 + b'"}',
    "null": b"null",
}


def refused(response: TestResponse, code: int = 400) -> dict[str, Any]:
    """The problem that a response must be."""
    assert response.status_code == code, response.text[:500]
    assert response.content_type == "application/problem+json"
    problem = body_of(response)
    assert problem["status"] == code
    assert problem["title"]
    assert problem["detail"]
    return problem


def first_error(response: TestResponse) -> dict[str, Any]:
    error: dict[str, Any] = refused(response)["errors"][0]
    assert error["message"]
    return error


def send(api: Rest, body: bytes, content_type: str | None = JSON, **options: Any) -> TestResponse:
    return api.call("POST", "/api/batches", data=body, content_type=content_type, **options)


@pytest.mark.parametrize(("body", "told"), DOCUMENTS.values(), ids=DOCUMENTS)
@pytest.mark.parametrize("path", ["/api/batches", "/api/jobs"])
def test_a_document_that_can_not_be_read_is_refused(api: Rest, path: str, body: bytes, told: str) -> None:
    problem = refused(api.call("POST", path, data=body, content_type=JSON))
    assert told in json.dumps(problem["errors"])


@pytest.mark.parametrize(("envelope", "pointer"), ENVELOPES.values(), ids=ENVELOPES)
def test_a_fault_of_the_batch_is_pointed_at(api: Rest, envelope: dict[str, Any], pointer: str) -> None:
    assert first_error(api.post("/api/batches", envelope))["pointer"] == pointer


@pytest.mark.parametrize(("job", "pointer"), JOBS.values(), ids=JOBS)
def test_a_fault_of_a_job_is_pointed_at_in_the_document(api: Rest, job: Any, pointer: str) -> None:
    error = first_error(api.post("/api/batches", {"jobs": [GOOD, job]}))
    assert error["pointer"] == f"/jobs/1{pointer}"
    assert "line" not in error


@pytest.mark.parametrize(("job", "pointer"), JOBS.values(), ids=JOBS)
def test_a_fault_of_a_job_is_told_by_line_and_pointer(api: Rest, job: Any, pointer: str) -> None:
    error = first_error(api.post_lines([GOOD, job]))
    assert (error["line"], error["pointer"]) == (2, pointer)


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_line_that_can_not_be_read_is_told_by_its_number(api: Rest, line: bytes) -> None:
    body = json.dumps(GOOD).encode() + b"\n\n" + line + b"\n"
    problem = refused(send(api, body, NDJSON))
    assert [error["line"] for error in problem["errors"]] == [3] * problem["errors_total"]


@pytest.mark.parametrize(("job", "pointer"), list(JOBS.values())[2:5], ids=list(JOBS)[2:5])
def test_a_single_job_is_held_to_the_same(api: Rest, job: Any, pointer: str) -> None:
    assert first_error(api.post("/api/jobs", job))["pointer"] == pointer


@pytest.mark.parametrize("body", [b"", b"\n\n", b"\xef\xbb\xbf\r\n"])
def test_lines_without_a_job_are_refused(api: Rest, body: bytes) -> None:
    assert first_error(send(api, body, NDJSON))["pointer"] == "/jobs"


def test_a_batch_of_bad_lines_only_is_refused_even_if_they_may_be_skipped(api: Rest) -> None:
    response = api.post_lines([{"custom_id": "a"}, 7], query_string={"on_invalid": "skip"})
    assert first_error(response)["line"] == 1


def test_limits_and_values_are_told(api: Rest) -> None:
    error = first_error(api.post_lines([with_options(max_tokens=2049)]))
    assert (error["limit"], error["value"]) == (2048, 2049)
    error = first_error(api.post_lines([with_options(temperature=1.5)]))
    assert (error["limit"], error["value"]) == (1, 1.5)
    error = first_error(api.post_lines([{"custom_id": "x", "text_data": "x" * 64_001}]))
    assert (error["limit"], error["value"]) == (64_000, 64_001)
    error = first_error(send(api, b'"' + b"x" * 1_000_001 + b'"', NDJSON))
    assert (error["limit"], error["value"]) == (1_000_000, 1_000_003)


def test_a_system_role_is_told_of_system_prompt(api: Rest) -> None:
    assert "options.system_prompt" in first_error(api.post_lines([history("system")]))["message"]


def test_the_first_hundred_bad_lines_are_told_and_how_many_there_are(api: Rest) -> None:
    problem = refused(api.post_lines([{"custom_id": str(number)} for number in range(150)]))
    assert (len(problem["errors"]), problem["errors_total"]) == (100, 150)
    assert problem["errors"][99]["line"] == 100


def test_a_batch_of_too_many_jobs_is_refused_by_their_limit(api: Rest, runtime: Runtime) -> None:
    limit = runtime.settings.max_jobs
    body = b"".join(b'{"custom_id":"%d","text_data":"x"}\n' % number for number in range(limit + 1))
    assert first_error(send(api, body, NDJSON))["limit"] == limit


def test_a_body_of_300_megabytes_is_refused_before_it_is_read(api: Rest, runtime: Runtime) -> None:
    for path in ("/api/batches", "/api/jobs"):
        claimed = {"CONTENT_LENGTH": "300000000"}
        problem = refused(api.call("POST", path, data=b"{", content_type=JSON, environ_overrides=claimed), 413)
        assert "bytes" in problem["detail"]
    assert str(runtime.settings.max_line_bytes) in problem["detail"]


def test_a_body_that_breaks_off_is_refused(api: Rest) -> None:
    body = json.dumps({"jobs": jobs("a")}).encode()
    refused(send(api, body, environ_overrides={"CONTENT_LENGTH": str(len(body) + 1)}))


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "text/json", None])
def test_a_wrong_content_type_is_told_the_right_ones(api: Rest, content_type: str | None) -> None:
    problem = refused(send(api, json.dumps({"jobs": jobs("a")}).encode(), content_type), 415)
    assert "application/json or application/x-ndjson" in problem["detail"]


def test_a_compressed_body_is_told_to_come_plain(api: Rest) -> None:
    assert "gzip" in refused(send(api, b"\x1f\x8b", headers={"Content-Encoding": "gzip"}), 415)["detail"]


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer hb_nobody", "hb_x", "Bearer é", "Bearer " + "x" * 5000],
)
def test_without_a_key_that_is_known_nothing_is_taken(api: Rest, client: FlaskClient, authorization: str) -> None:
    response = client.post("/api/batches", json={"jobs": jobs("a")}, headers={"Authorization": authorization})
    assert refused(response, 401)["type"] == "urn:hivebatch:problem:not-authenticated"
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_revoked_key_opens_nothing_any_more(api: Rest, client: FlaskClient, runtime: Runtime) -> None:
    new = keys.create(runtime, "bob", "test")
    bob = Rest(client, new.secret)
    assert bob.get("/api/batches").status_code == 200
    keys.revoke(runtime, new.key.id)
    assert "revoked" in refused(bob.post("/api/batches", {"jobs": jobs("a")}), 401)["detail"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/api/batches?limit=0", "'limit'"),
        ("/api/batches?limit=x", "'limit'"),
        ("/api/batches?limit=1&limit=2", "'limit'"),
        ("/api/batches?page=2", "'page'"),
        ("/api/batches?cursor=x", "'cursor'"),
        ("/api/batches?cursor=%00", "'cursor'"),
        ("/api/batches/{id}?verbose=1", "'verbose'"),
        ("/api/batches/{id}/jobs?limit=1001", "'limit'"),
        ("/api/batches/{id}/jobs?state=done", "'state'"),
        ("/api/batches/{id}/jobs?cursor=-1", "'cursor'"),
        ("/api/batches/{id}/jobs?custom_id=%00", "'custom_id'"),
        ("/api/batches/{id}/results?state=queued,", "'state'"),
    ],
)
def test_a_wrong_parameter_is_named(api: Rest, path: str, told: str) -> None:
    assert f"Query parameter {told}" in first_error(api.get(path.format(id=unknown("batch"))))["message"]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"options": "{"}, "'options': Not valid JSON"),
        ({"options": '{"max_tokens": 2049}'}, "'options' at /max_tokens"),
        ({"metadata": "[]"}, "'metadata'"),
        ({"max_attempts": "x"}, "'max_attempts'"),
        ({"expires_in_seconds": "1e999"}, "'expires_in_seconds'"),
        ({"name": "a\x00b"}, "'name'"),
        ({"on_invalid": "x"}, "'on_invalid'"),
        ({"jobs": "[]"}, "'jobs'"),
    ],
)
def test_a_wrong_parameter_beside_lines_is_named(api: Rest, query: dict[str, str], told: str) -> None:
    assert f"Query parameter {told}" in first_error(api.post_lines(jobs("a"), query_string=query))["message"]


@pytest.mark.parametrize("content", [[], {"custom_ids": []}, {"custom_ids": None}, {"custom_ids": [1]}, {"ids": ["a"]}])
def test_a_wrong_retry_says_where(api: Rest, content: Any) -> None:
    assert "pointer" in first_error(api.post(f"/api/batches/{unknown('batch')}/retry", content))


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/api", 404),
        ("GET", "/api/nothing", 404),
        ("GET", "/api/batches/", 404),
        ("PUT", "/api/batches", 405),
        ("PATCH", "/api/batches/x", 405),
        ("POST", "/healthz", 405),
        ("GET", "/nowhere", 404),
    ],
)
def test_a_path_or_method_that_there_is_not_is_a_problem_too(api: Rest, method: str, path: str, code: int) -> None:
    refused(api.call(method, path), code)
