"""Batches in OpenAI's words: what makes one, what fails one, how far it is, how it ends; and that it is one of ours."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory

from app import create_app
from app.runtime import Runtime
from app.services import keys
from tests.conftest import MakeRuntime
from tests.factories import sweep
from tests.integration.conformance import checked_client
from tests.integration.openai_client import OpenAi, as_file, fault_of, line
from tests.integration.rest import Hive, body_of, unknown


@pytest.fixture
def api(client: FlaskClient, api_key: str) -> OpenAi:
    return OpenAi(client, api_key)


@pytest.fixture
def hive(runtime: Runtime, client: FlaskClient) -> Hive:
    return Hive(runtime, client)


def faults(batch: dict[str, Any]) -> list[tuple[str, int | None, str | None]]:
    """What failed a batch: code, line, param."""
    assert batch["status"] == "failed"
    return [(fault["code"], fault["line"], fault["param"]) for fault in batch["errors"]["data"]]


# --- what makes one ---


def test_a_batch_has_every_field_that_the_sdks_read(api: OpenAi) -> None:
    batch = api.made(line("a"), line("b"))
    assert batch["id"].startswith("batch_")
    assert (batch["object"], batch["endpoint"]) == ("batch", "/v1/chat/completions")
    assert (batch["status"], batch["completion_window"]) == ("in_progress", "24h")
    assert batch["request_counts"] == {"total": 2, "completed": 0, "failed": 0}
    assert batch["metadata"] == {}
    assert batch["expires_at"] == batch["created_at"] + 86400
    assert batch["in_progress_at"] == batch["created_at"]
    unset = {"errors", "output_file_id", "error_file_id", "usage", "finalizing_at", "completed_at", "failed_at"}
    unset |= {"expired_at", "cancelling_at", "cancelled_at"}
    assert {name for name in unset if batch[name] is not None} == set()
    assert api.batch(batch["id"]) == batch


def test_lines_may_have_a_byte_order_mark_windows_ends_and_a_blank_last_line(api: OpenAi, hive: Hive) -> None:
    first, second = (json.dumps(line(name)).encode() for name in ("ä ☃", "b"))
    file_id = api.uploaded(b"\xef\xbb\xbf" + first + b"\r\n" + second + b"\r\n\r\n")
    batch = body_of(api.create(file_id))
    assert batch["request_counts"]["total"] == 2
    hive.answer_all("hi")
    output = api.content(api.batch(batch["id"])["output_file_id"])
    assert {each["custom_id"] for each in output} == {"ä ☃", "b"}


def test_metadata_comes_back_as_it_was(api: OpenAi) -> None:
    metadata = {str(number): "x" * 512 for number in range(15)} | {"k" * 64: ""}
    assert api.made(line("a"), metadata=metadata)["metadata"] == metadata
    assert api.made(line("a"), metadata=None)["metadata"] == {}


def test_what_the_provider_does_not_know_is_left_out_and_fails_nothing(api: OpenAi, hive: Hive) -> None:
    wild = {"seed": 7, "stop": ["x"], "n": 1, "stream": False, "response_format": {"type": "text"}, "foo": {"bar": 1}}
    batch = api.made(line("a", **wild, frequency_penalty=1, presence_penalty=1, max_completion_tokens=99_999))
    hive.answer_all("hi")
    assert api.batch(batch["id"])["request_counts"]["completed"] == 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"endpoint": "/v1/x"}, ("invalid_value", "endpoint")),
        ({"endpoint": None}, ("invalid_value", "endpoint")),
        ({"completion_window": "48h"}, ("invalid_value", "completion_window")),
        ({"completion_window": ""}, ("invalid_value", "completion_window")),
        ({"metadata": {"a": 1}}, ("invalid_type", "metadata.a")),
        ({"metadata": {"a": "x" * 513}}, ("invalid_value", "metadata.a")),
        ({"metadata": {str(number): "" for number in range(17)}}, ("invalid_value", "metadata")),
        ({"metadata": []}, ("invalid_type", "metadata")),
        ({"input_file_id": 7}, ("invalid_type", "input_file_id")),
        (
            {"output_expires_after": {"anchor": "created_at", "seconds": 1}},
            ("invalid_value", "output_expires_after.seconds"),
        ),
    ],
)
def test_a_wrong_parameter_is_refused_and_named(api: OpenAi, fields: dict[str, Any], expected: tuple[str, str]) -> None:
    assert fault_of(api.create("file-x", **fields)) == (400, *expected)
    assert body_of(api.get("/v1/batches"))["data"] == []


def test_the_words_for_an_endpoint_name_what_is_supported(api: OpenAi) -> None:
    message = body_of(api.create("file-x", endpoint="/v1/x"))["error"]["message"]
    assert message == "Invalid value: '/v1/x'. Supported values are: '/v1/chat/completions'."


def test_a_missing_parameter_is_refused_and_named(api: OpenAi) -> None:
    assert fault_of(api.post("/v1/batches", {"endpoint": "/v1/chat/completions"})) == (
        400,
        "missing_required_parameter",
        "input_file_id",
    )


def test_a_body_that_is_no_json_is_refused(api: OpenAi) -> None:
    response = api.call("POST", "/v1/batches", data=b"{", content_type="application/json")
    assert (response.status_code, body_of(response)["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("path", ["/v1/batches", "/v1/webhook_endpoints", "/v1/chat/completions"])
def test_a_body_that_is_no_object_is_refused(api: OpenAi, path: str) -> None:
    response = api.call("POST", path, data=b"[]", content_type="application/json")
    assert fault_of(response) == (400, "invalid_type", None)
    assert body_of(response)["error"]["message"] == "The body must be a JSON object."


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/assistants", "/v1/files/"])
def test_a_url_that_is_not_there_is_told_as_all_errors_are(api: OpenAi, path: str) -> None:
    response = api.get(path)
    assert fault_of(response) == (404, None, None)
    assert response.headers["x-request-id"]


# --- what fails one ---


def test_every_bad_line_is_collected_with_its_number(api: OpenAi) -> None:
    good = line("good")
    batch = api.made(
        good,
        b"{",
        b"[]",
        {name: value for name, value in line("x").items() if name != "custom_id"},
        {name: value for name, value in line("x").items() if name != "method"},
        {name: value for name, value in line("x").items() if name != "url"},
        {name: value for name, value in line("x").items() if name != "body"},
        good,
        line("u") | {"url": "/v1/embeddings"},
        line("s", stream=True),
        line("m", model=None),
        line("t", messages=None),
    )
    assert faults(batch) == [
        ("invalid_json_line", 2, None),
        ("invalid_json_line", 3, None),
        ("missing_required_parameter", 4, "custom_id"),
        ("missing_required_parameter", 5, "method"),
        ("missing_required_parameter", 6, "url"),
        ("missing_required_parameter", 7, "body"),
        ("duplicate_custom_id", 8, "custom_id"),
        ("invalid_url", 9, "url"),
        ("streaming_unsupported", 10, "body.stream"),
        ("invalid_request", 11, "body.model"),
        ("invalid_request", 12, "body.messages"),
    ]
    assert batch["failed_at"] is not None
    assert batch["request_counts"] == {"total": 0, "completed": 0, "failed": 0}
    assert api.batch(batch["id"])["errors"] == batch["errors"]


@pytest.mark.parametrize("value", [0, 1, False, [], {}, ["a"], {"a": 1}])
def test_what_is_no_text_where_text_must_be_fails_the_batch(api: OpenAi, value: object) -> None:
    said = line("a")
    wrong = ("custom_id", "method", "url", "body") if value != {} else ("custom_id", "method", "url")
    batch = api.made(*(said | {name: value} for name in wrong))
    assert [(code, number) for code, number, _ in faults(batch) if number < 4] == [
        ("invalid_request", 1),
        ("invalid_request", 2),
        ("invalid_url", 3),
    ]
    assert batch["status"] == "failed"


def test_more_bad_lines_than_a_page_are_collected_too(api: OpenAi) -> None:
    assert len(faults(api.made(*[b"{"] * 300))) == 300


def test_a_file_without_a_line_fails_its_batch(api: OpenAi) -> None:
    assert faults(body_of(api.create(api.uploaded(b"\n")))) == [("empty_file", None, None)]


def test_an_unknown_file_fails_its_batch(api: OpenAi) -> None:
    batch = body_of(api.create("file-none"))
    assert faults(batch) == [("invalid_request", None, "file_id")]
    assert batch["input_file_id"] == "file-none"


def test_too_many_lines_fail_their_batch(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(max_jobs=2)
    api = OpenAi(checked_client(create_app(runtime)), keys.create(runtime, "alice", "tests").secret)
    assert faults(api.made(line("a"), line("b"), line("c"))) == [("too_many_tasks", None, None)]


def test_a_line_that_can_not_be_answered_fails_alone_and_is_never_sent(api: OpenAi, hive: Hive) -> None:
    batch = api.made(
        line("good"),
        line("roles", messages=[{"role": "robot", "content": "x"}]),
        line("tools", tools=[{"type": "function"}]),
        line("two", n=2),
        line("hot", temperature=-1),
    )
    assert batch["request_counts"] == {"total": 5, "completed": 0, "failed": 4}
    assert len(hive.take()) == 1
    errors = api.content(batch["error_file_id"])
    assert errors == []  # a batch that runs shows what has settled


def test_a_batch_whose_every_line_failed_is_completed_and_has_only_an_error_file(api: OpenAi) -> None:
    batch = api.made(line("a", tools=[{}]), line("b", n=3))
    assert (batch["status"], batch["output_file_id"]) == ("completed", None)
    assert batch["completed_at"] is not None
    errors = api.content(batch["error_file_id"])
    assert [(each["custom_id"], each["response"]["status_code"]) for each in errors] == [("a", 400), ("b", 400)]
    assert all(each["error"]["message"] == each["response"]["body"]["error"]["message"] for each in errors)


def test_no_retry_submits_what_was_never_to_be_submitted(api: OpenAi, hive: Hive) -> None:
    batch = api.made(line("a", tools=[{}]))
    retried = api.post(f"/api/batches/{batch['id']}/retry")
    assert body_of(retried) == {"queued": 0, "salvaged": 0}
    assert hive.take() == []
    assert api.batch(batch["id"])["status"] == "completed"


# --- how it goes on, and ends ---


def test_a_batch_is_completed_when_its_last_job_is(api: OpenAi, hive: Hive) -> None:
    batch = api.made(line("a"))
    hive.answer_all("hi")
    ended = api.batch(batch["id"])
    assert (ended["status"], ended["request_counts"]["completed"]) == ("completed", 1)
    assert ended["completed_at"] == ended["finalizing_at"]
    assert ended["model"] == "acme/one"


def test_a_cancelled_batch_keeps_what_was_done(api: OpenAi, hive: Hive) -> None:
    batch = api.made(line("a"), line("b"))
    (path,) = hive.take(1)
    hive.call_back(path, {"id": "t", "status": [{"status": {"code": "0"}, "response": {"output": [{"text": "hi"}]}}]})
    response = api.post(f"/v1/batches/{batch['id']}/cancel")
    cancelled = body_of(response)
    assert (response.status_code, cancelled["status"]) == (200, "cancelled")
    assert cancelled["cancelling_at"] <= cancelled["cancelled_at"]
    assert len(api.content(cancelled["output_file_id"])) == 1
    (error,) = api.content(cancelled["error_file_id"])
    assert (error["response"], error["error"]["code"]) == (None, "batch_cancelled")
    assert body_of(api.post(f"/v1/batches/{batch['id']}/cancel", {})) == cancelled


def test_what_has_ended_can_not_be_cancelled_and_the_sdks_need_not_try_again(api: OpenAi, hive: Hive) -> None:
    completed = api.made(line("a"))
    hive.answer_all("hi")
    failed = body_of(api.create("file-none"))
    for batch in (completed, failed):
        response = api.post(f"/v1/batches/{batch['id']}/cancel")
        assert response.status_code == 409
        assert response.headers["x-should-retry"] == "false"


def test_an_unknown_batch_is_not_found_in_openais_words(api: OpenAi) -> None:
    for shown in (unknown("batch"), "batch_x", "x"):
        for response in (api.get(f"/v1/batches/{shown}"), api.post(f"/v1/batches/{shown}/cancel")):
            assert response.status_code == 404
            assert body_of(response)["error"]["message"] == f"No batch found with id '{shown}'."


def test_a_batch_expires_after_a_day_with_what_was_done(
    api: OpenAi, hive: Hive, runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch = api.made(line("a"))
    clock.tick(86_400)
    sweep(runtime)
    expired = api.batch(batch["id"])
    assert (expired["status"], expired["expired_at"]) == ("expired", batch["expires_at"])
    (error,) = api.content(expired["error_file_id"])
    assert (error["response"], error["error"]["code"]) == (None, "batch_expired")


def test_the_batch_has_its_own_copy_of_the_input(api: OpenAi, hive: Hive) -> None:
    batch = api.made(line("a"))
    api.call("DELETE", f"/v1/files/{batch['input_file_id']}")
    hive.answer_all("hi")
    assert api.batch(batch["id"])["input_file_id"] == batch["input_file_id"]
    assert len(api.content(api.batch(batch["id"])["output_file_id"])) == 1


def test_pages_of_batches_hold_each_once_and_say_exactly_whether_there_are_more(api: OpenAi) -> None:
    made = [api.made(line("a"))["id"] for _ in range(3)]
    first = body_of(api.get("/v1/batches", query_string={"limit": "2"}))
    assert ([each["id"] for each in first["data"]], first["has_more"]) == ([made[2], made[1]], True)
    assert (first["first_id"], first["last_id"]) == (made[2], made[1])
    last = body_of(api.get("/v1/batches", query_string={"limit": "1", "after": made[1]}))
    assert ([each["id"] for each in last["data"]], last["has_more"]) == ([made[0]], False)
    assert fault_of(api.get("/v1/batches", query_string={"after": "batch_none"})) == (400, None, "after")
    assert fault_of(api.get("/v1/batches", query_string={"limit": "101"})) == (400, "invalid_value", "limit")


def test_the_same_request_with_the_same_key_makes_one_batch(api: OpenAi) -> None:
    file_id = api.uploaded(as_file([line("a")]))
    said = {"input_file_id": file_id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    first = api.post("/v1/batches", said, headers={"Idempotency-Key": "k"})
    again = api.post("/v1/batches", said, headers={"Idempotency-Key": "k"})
    other = api.post("/v1/batches", said | {"metadata": {"a": "b"}}, headers={"Idempotency-Key": "k"})
    assert body_of(first) == body_of(again)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.headers["x-should-retry"]) == (409, "false")


# --- two faces of the same ---


def test_what_is_made_here_is_seen_there(api: OpenAi, hive: Hive) -> None:
    batch = api.made(line("a", "Name a river.", temperature=0), metadata={"k": "v"})
    seen = body_of(api.get(f"/api/batches/{batch['id']}"))
    assert (seen["total"], seen["metadata"], seen["status"]) == (1, {"k": "v"}, "in_progress")
    (job,) = body_of(api.get(f"/api/batches/{batch['id']}/jobs"))["items"]
    detail = body_of(api.get(f"/api/jobs/{job['id']}"))
    assert (detail["text_data"], detail["options"]) == ("Name a river.", {"model": "acme/one", "temperature": 0})
    hive.answer_all("The Elbe.")
    assert [each["text"] for each in api.results(batch["id"])] == ["The Elbe."]


def test_what_is_made_there_is_seen_here(api: OpenAi, hive: Hive) -> None:
    batch_id = api.submit("a", "b", metadata={"k": "v"})["id"]
    hive.answer_all("hi")
    batch = api.batch(batch_id)
    assert (batch["status"], batch["metadata"], batch["request_counts"]["completed"]) == ("completed", {"k": "v"}, 2)
    assert [each["custom_id"] for each in api.content(batch["output_file_id"])] == ["job-0", "job-1"]
    assert [each["id"] for each in body_of(api.get("/v1/batches"))["data"]] == [batch_id]


def test_a_batch_that_failed_is_seen_there_too_and_can_be_removed(api: OpenAi) -> None:
    batch = body_of(api.create(api.uploaded(b"{")))
    seen = body_of(api.get(f"/api/batches/{batch['id']}"))
    assert (seen["status"], seen["total"], seen["line_errors_total"]) == ("failed", 0, 1)
    assert api.call("DELETE", f"/api/batches/{batch['id']}").status_code == 204
    assert api.get(f"/v1/batches/{batch['id']}").status_code == 404


# --- errors, models ---


def test_every_error_below_v1_has_openais_shape(api: OpenAi, client: FlaskClient) -> None:
    responses = {
        401: client.get("/v1/batches"),
        404: api.get("/v1/nothing"),
        405: api.call("PUT", "/v1/batches"),
        415: api.call("POST", "/v1/batches", data=b"x", content_type="text/plain"),
    }
    for status, response in responses.items():
        assert response.status_code == status
        assert response.content_type == "application/json"
        assert set(body_of(response)["error"]) == {"message", "type", "param", "code"}
        assert response.headers["x-request-id"]
    assert body_of(responses[401])["error"]["code"] == "invalid_api_key"
    assert api.get("/api/nothing").content_type == "application/problem+json"


def test_models_are_listed_and_found_by_an_id_with_a_slash(api: OpenAi) -> None:
    (model,) = body_of(api.get("/v1/models"))["data"]
    assert (model["object"], model["id"]) == ("model", "hivebatch/hive_v2")
    assert body_of(api.get(f"/v1/models/{model['id'].replace('/', '%2F')}")) == model
    assert api.get("/v1/models/acme/none").status_code == 404
