"""Submits and how they are answered, over HTTP."""

import json
import time
from email.utils import parsedate_to_datetime
from uuid import UUID

import pytest
import requests

from tests.unit.sandbox.served import Client, Serve


def test_a_submit_is_acknowledged_with_a_task_id(client: Client) -> None:
    response = client.submit(metadata="job-17")
    assert response.status_code == 200
    assert list(response.json()) == ["task_id"]
    assert UUID(response.json()["task_id"]).version == 1


@pytest.mark.parametrize("form", ["multipart", "urlencoded"])
def test_a_form_is_read_like_json(client: Client, form: str) -> None:
    fields = {"text_data": "hello", "callback_url": client.receiver.url, "options": '{"system_prompt": "Be brief"}'}
    how = (
        {"files": {name: (None, value) for name, value in fields.items()}} if form == "multipart" else {"data": fields}
    )
    assert client.call("POST", "/api/v2/task/async", **how).status_code == 200
    [body] = client.receiver.wait(1)
    assert "Be brief" in json.dumps(body)


def test_an_uploaded_file_is_media(client: Client) -> None:
    fields = {"text_data": "hello", "callback_url": client.receiver.url}
    response = client.call("POST", "/api/v2/task/async", data=fields, files={"media": ("a.png", b"x")})
    assert response.status_code == 400
    assert "text_data, media" in response.json()["message"]


@pytest.mark.parametrize("body", ["{", "[]", "[" * 100_000, ""])
def test_a_body_that_is_no_object_is_refused_and_listed(client: Client, body: str) -> None:
    response = client.call("POST", "/api/v2/task/async", data=body)
    assert (response.status_code, response.json()["return_code"]) == (400, 400)
    assert [refused["status"] for refused in client.ledger()["refused"]] == [400]


def test_a_typing_error_in_a_directive_is_named_and_books_nothing(client: Client) -> None:
    response = client.submit("x [[sandbox lsot]]")
    assert (response.status_code, response.json()["message"]) == (400, "unknown sandbox words: lsot")
    assert client.ledger()["totals"]["accepted"] == 0


@pytest.mark.parametrize(
    ("form", "names"),
    [("id", {"id"}), ("task_ids", {"task_ids"}), ("none", {"message"}), ("task_id", {"task_id"})],
)
def test_the_id_is_where_the_ack_form_says(client: Client, form: str, names: set[str]) -> None:
    response = client.submit(f"x [[sandbox ack={form}]]")
    assert response.json().keys() == names
    [entry] = client.ledger()["entries"]
    assert (entry["task_id"] in response.text) is (form != "none")


def test_a_full_ack_has_every_key_that_was_ever_seen(client: Client) -> None:
    ack = client.submit("x [[sandbox ack=full]]").json()
    assert ack["id"] == ack["task_id"]
    assert {
        "message",
        "project_id",
        "customer_id",
        "user_id",
        "queue_priority",
        "task_priority",
        "token_id",
    } < ack.keys()


@pytest.mark.parametrize("status", [302, 400, 429, 500, 503])
def test_a_status_refuses_the_submit(client: Client, status: int) -> None:
    response = client.submit(f"x [[sandbox status={status}]]", metadata="m")
    assert (response.status_code, response.json()["return_code"]) == (status, status)
    assert "Retry-After" not in response.headers
    ledger = client.ledger()
    assert (ledger["totals"]["accepted"], ledger["totals"]["refused"]) == (0, 1)
    assert (ledger["refused"][0]["metadata"], ledger["refused"][0]["faults"]) == ("m", [f"status={status}"])
    assert client.receiver.count == 0


def test_retry_after_may_be_seconds(client: Client) -> None:
    assert client.submit("x [[sandbox status=429 retry_after=7]]").headers["Retry-After"] == "7"


def test_retry_after_may_be_a_date(client: Client) -> None:
    written = client.submit("x [[sandbox status=429 retry_date=100]]").headers["Retry-After"]
    assert 90 < parsedate_to_datetime(written).timestamp() - time.time() <= 101


def test_an_error_may_be_booked_and_called_back_all_the_same(client: Client) -> None:
    assert client.submit("x [[sandbox status=503 booked]]").status_code == 503
    [body] = client.receiver.wait(1)
    [entry] = client.ledger()["entries"]
    assert (entry["task_id"], entry["outcome"]) == (body["id"], "delivered")


def test_an_error_body_may_be_html(client: Client) -> None:
    response = client.submit("x [[sandbox status=502 html]]")
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.text.startswith("<html>")


def test_a_return_code_spoils_a_200(client: Client) -> None:
    response = client.submit("x [[sandbox return_code=503]]")
    assert (response.status_code, response.json()["return_code"]) == (200, 503)
    assert "task_id" not in response.json()
    assert client.ledger()["refused"][0]["status"] == 503


def test_a_return_code_may_come_with_an_id(client: Client) -> None:
    response = client.submit("x [[sandbox return_code=7 booked]]")
    assert response.json()["return_code"] == 7
    assert client.receiver.wait(1)[0]["id"] == response.json()["task_id"]


def test_a_reset_connection_leaves_a_booked_task(client: Client) -> None:
    with pytest.raises(requests.ConnectionError) as caught:
        client.submit("x [[sandbox reset]]")
    assert "ConnectionResetError" in repr(caught.value)
    assert client.receiver.wait(1)[0]["id"] == client.ledger()["entries"][0]["task_id"]


def test_the_ack_may_be_slow(client: Client) -> None:
    begun = time.monotonic()
    assert client.submit("x [[sandbox ack_delay=0.2]]").status_code == 200
    assert time.monotonic() - begun >= 0.2


def test_times_holds_a_fault_to_the_first_submissions_of_a_prompt(client: Client) -> None:
    statuses = [client.submit("x [[sandbox status=503 times=2]]").status_code for _ in range(3)]
    assert statuses == [503, 503, 200]


def test_a_look_up_shows_the_result_that_was_called_back(client: Client) -> None:
    task_id = client.submit().json()["task_id"]
    assert client.look_up(task_id).json() == client.receiver.wait(1)[0]


def test_a_look_up_before_the_result_has_no_status(client: Client) -> None:
    task_id = client.submit("x [[sandbox delay=60]]").json()["task_id"]
    response = client.look_up(task_id)
    assert (response.status_code, list(response.json())) == (200, ["message"])


def test_a_look_up_finds_what_was_lost(client: Client) -> None:
    task_id = client.submit("x [[sandbox lost]]").json()["task_id"]
    assert client.look_up(task_id).json()["status"][0]["status"]["message"] == "SUCCESS"


@pytest.mark.parametrize("path", ["/api/v2/task?task_id=nope", "/api/v2/task", "/api/v2/nope"])
def test_what_does_not_exist_is_a_404_in_json(client: Client, path: str) -> None:
    response = client.call("GET", path)
    assert (response.status_code, response.json()["return_code"]) == (404, 404)


def test_a_wrong_method_is_a_405_in_json(client: Client) -> None:
    assert client.call("GET", "/api/v2/task/async").json()["return_code"] == 405


def test_a_sync_task_is_answered_with_its_result(client: Client) -> None:
    body = client.sync(metadata="m").json()
    assert (body["metadata"], body["status"][0]["status"]["code"]) == ("m", "0")
    [entry] = client.ledger()["entries"]
    assert (entry["task_id"], entry["outcome"], entry["callbacks"]) == (body["id"], "answered", [])


def test_a_sync_task_takes_its_time(serve: Serve) -> None:
    begun = time.monotonic()
    assert serve(latency=(0.2, 0.2)).sync().status_code == 200
    assert time.monotonic() - begun >= 0.2


def test_a_sync_result_that_is_kept_back_is_lost_and_billed(client: Client) -> None:
    assert client.sync("x [[sandbox status=500 booked]]").status_code == 500
    [entry] = client.ledger()["entries"]
    assert entry["outcome"] == "lost"


def test_a_sync_task_refuses_a_directive_about_callbacks(client: Client) -> None:
    assert client.sync("x [[sandbox duplicate]]").status_code == 400


def test_too_long_an_input_is_a_failed_task_and_not_a_400(serve: Serve) -> None:
    client = serve(max_characters=10)
    assert client.submit("x" * 11).status_code == 200
    assert client.receiver.wait(1)[0]["error"] == "inference failed"
    assert client.ledger()["entries"][0]["result"] == "failed"


def test_a_lone_surrogate_comes_back_as_it_went(client: Client) -> None:
    body = b'{"text_data": "a \\ud800 b"}'
    answer = client.call("POST", "/api/v2/task/sync", data=body).json()
    assert answer["status"][0]["response"]["input"]["text"] == "a \ud800 b"
