"""Single jobs over REST, the provider's callbacks, and what the service says of itself."""

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import validate

from app.runtime import Runtime
from tests.integration.rest import Hive, Rest, answer, body_of, unknown


@pytest.fixture
def api(client: FlaskClient, api_key: str) -> Rest:
    return Rest(client, api_key)


@pytest.fixture
def hive(runtime: Runtime, client: FlaskClient) -> Hive:
    return Hive(runtime, client)


def test_one_job_becomes_a_batch_of_its_own(api: Rest) -> None:
    sent = {"text_data": "Hello", "options": {"temperature": 0}, "name": "single", "max_attempts": 2}
    response = api.post("/api/jobs", sent)
    job = body_of(response)
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/jobs/{job['id']}"
    assert (job["custom_id"], job["text_data"], job["options"]) == ("job", "Hello", {"temperature": 0})
    assert (job["state"], job["max_attempts"], job["attempts"], job["callbacks"]) == ("queued", 2, [], [])
    assert body_of(api.get(f"/api/batches/{job['batch_id']}"))["name"] == "single"
    assert body_of(api.get(response.headers["Location"])) == job


def test_a_job_shows_its_answer_its_attempts_and_what_the_provider_sent(api: Rest, hive: Hive) -> None:
    job = body_of(api.post("/api/jobs", {"custom_id": "mine", "text_data": "Hello"}))
    (path,) = hive.take()
    hive.call_back(path, answer("Hi"))
    hive.call_back(path, answer("Hi"))
    shown = body_of(api.get(f"/api/jobs/{job['id']}"))
    assert (shown["state"], shown["result"]["text"], shown["result"]["source"]) == ("completed", "Hi", "callback")
    assert [(attempt["number"], attempt["state"]) for attempt in shown["attempts"]] == [(1, "completed")]
    assert [(body["outcome"], body["times"]) for body in shown["callbacks"]] == [("applied", 2)]
    assert shown["callbacks"][0]["attempt_id"] == shown["attempts"][0]["id"]


def test_a_job_that_never_was_is_not_found(api: Rest) -> None:
    assert api.get(f"/api/jobs/{unknown('job')}").status_code == 404


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\x00", b"[]", b'{"status": "?"}', b"[" * 5000])
def test_a_callback_that_nobody_can_read_is_kept_and_completes_nothing(api: Rest, hive: Hive, body: bytes) -> None:
    job = body_of(api.post("/api/jobs", {"text_data": "Hello"}))
    (path,) = hive.take()
    response = hive.call_back(path, body)
    assert (response.status_code, body_of(response)) == (200, {"ok": True})
    shown = body_of(api.get(f"/api/jobs/{job['id']}"))
    assert [(kept["outcome"], kept["bytes"]) for kept in shown["callbacks"]] == [("invalid", len(body))]
    assert shown["result"] is None


def test_a_callback_of_any_content_type_is_taken(api: Rest, hive: Hive, client: FlaskClient) -> None:
    api.post("/api/jobs", {"text_data": "Hello"})
    (path,) = hive.take()
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        assert client.post(path, data=b"a=b", content_type=content_type).status_code == 200


def test_a_bad_token_and_a_path_that_leads_nowhere_get_the_same_bytes(
    api: Rest, hive: Hive, client: FlaskClient
) -> None:
    api.post("/api/jobs", {"text_data": "Hello"})
    (path,) = hive.take()
    token = path.rpartition("/")[2]
    ends = ["x", f"{token[:-9]}{'A' if token[-9] != 'A' else 'B'}{token[-8:]}", "%00", "é", "x/y", f"{token}/"]
    answers = [client.post(f"/callbacks/hive/{end}", data=b"{}") for end in ends]
    assert {response.status_code for response in answers} == {404}
    assert len({response.data for response in answers}) == 1
    assert len({tuple(response.headers) for response in answers}) == 1


def test_a_callback_that_is_too_large_is_refused_and_its_beginning_kept(
    api: Rest, hive: Hive, runtime: Runtime
) -> None:
    job = body_of(api.post("/api/jobs", {"text_data": "Hello"}))
    (path,) = hive.take()
    response = hive.call_back(path, b" " * (runtime.settings.max_callback_bytes + 1))
    assert response.status_code == 413
    (kept,) = body_of(api.get(f"/api/jobs/{job['id']}"))["callbacks"]
    assert (kept["outcome"], kept["bytes"]) == ("invalid", 64 * 1024)


def test_callbacks_are_taken_by_post_only(client: FlaskClient) -> None:
    assert client.get("/callbacks/hive/x").status_code == 405


def test_the_service_is_alive_and_ready(client: FlaskClient) -> None:
    assert body_of(client.get("/healthz")) == {"status": "ok"}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    body = body_of(ready)
    assert (body["is_ready"], body["reason"], body["workers"], body["holds"]) == (True, None, [], [])
    assert body["schema_revision"]


def test_the_document_of_the_whole_application_is_valid_and_served_to_anybody(client: FlaskClient) -> None:
    document = body_of(client.get("/openapi.json"))
    assert validate(document) is None
    assert {"/api/batches", "/api/jobs/{job_id}", "/callbacks/hive/{token}", "/readyz"} <= set(document["paths"])
