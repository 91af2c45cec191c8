"""Endpoints and deliveries over HTTP, in both faces; each answer is held against the OpenAPI document."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import standardwebhooks
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.clock import now
from app.runtime import Runtime
from app.states import EventType
from tests.conftest import MakeRuntime
from tests.fakes import FakeReceivers
from tests.integration.openai_client import OpenAi, as_file, fault_of, line
from tests.integration.rest import Hive, Rest, body_of, foreign, unknown
from tests.webhooks import URL, on_their_way, outbox, send_due

ENDS = ["batch.completed", "batch.failed", "batch.expired", "batch.cancelled"]


@pytest.fixture
def alice(client: FlaskClient, api_key: str) -> OpenAi:
    return OpenAi(client, api_key)


def register(rest: Rest, **said: Any) -> dict[str, Any]:
    """A new endpoint as it is told: `endpoint` and `secret`."""
    response = rest.post("/api/webhooks", {"url": URL} | said)
    assert response.status_code == 201, response.text
    return body_of(response)


def end_a_batch(runtime: Runtime, rest: Rest, **said: Any) -> dict[str, Any]:
    batch = rest.submit("a", **said)
    Hive(runtime, rest.client).answer_all("x")
    return batch


def deliveries(rest: Rest, webhook_id: str, **query: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = body_of(rest.get(f"/api/webhooks/{webhook_id}/deliveries", query_string=query))[
        "items"
    ]
    return items


# --- endpoints ---


def test_an_endpoint_is_made_with_a_secret_and_found_again(alice: OpenAi) -> None:
    response = alice.post("/api/webhooks", {"url": URL, "name": "billing"})
    made = body_of(response)
    assert response.headers["Location"] == f"/api/webhooks/{made['endpoint']['id']}"
    assert (made["endpoint"]["url"], made["endpoint"]["name"], made["endpoint"]["event_types"]) == (
        URL,
        "billing",
        ENDS,
    )
    assert body_of(alice.get(response.headers["Location"])) == made["endpoint"]
    assert body_of(alice.get(f"{response.headers['Location']}/secret")) == made
    assert made["secret"] not in str(made["endpoint"])


def test_endpoints_are_listed_by_page_the_newest_first(alice: OpenAi) -> None:
    made = [register(alice, url=f"{URL}/{number}")["endpoint"]["id"] for number in range(3)]
    first = body_of(alice.get("/api/webhooks", query_string={"limit": 2}))
    rest = body_of(alice.get("/api/webhooks", query_string={"cursor": first["next_cursor"]}))
    assert [each["id"] for each in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"url": "http://hooks.example.org/"}, "/url"),
        ({"url": "https://10.0.0.1/"}, "/url"),
        ({"url": ""}, "/url"),
        ({}, "/url"),
        ({"url": URL, "event_types": []}, "/event_types"),
        ({"url": URL, "event_types": ["batch.eaten"]}, "/event_types/0"),
        ({"url": URL, "secret": "mine"}, "/secret"),
    ],
)
def test_what_is_wrong_with_an_endpoint_is_said(alice: OpenAi, said: dict[str, Any], pointer: str) -> None:
    response = alice.post("/api/webhooks", said)
    assert (response.status_code, body_of(response)["errors"][0]["pointer"]) == (400, pointer)


def test_an_endpoint_is_changed_disabled_and_enabled_again(alice: OpenAi) -> None:
    path = f"/api/webhooks/{register(alice)['endpoint']['id']}"
    changed = body_of(alice.call("PATCH", path, json={"url": URL + "/2", "event_types": ["batch.paused"]}))
    assert (changed["url"], changed["event_types"]) == (URL + "/2", ["batch.paused"])
    disabled = body_of(alice.call("PATCH", path, json={"enabled": False}))
    assert (disabled["url"], disabled["disabled_reason"]) == (URL + "/2", "Its owner disabled it.")
    assert body_of(alice.call("PATCH", path, json={"enabled": True}))["disabled_at"] is None
    assert alice.call("PATCH", path, json={"url": "http://example.org"}).status_code == 400


def test_an_endpoint_is_removed(alice: OpenAi, runtime: Runtime) -> None:
    path = f"/api/webhooks/{register(alice)['endpoint']['id']}"
    end_a_batch(runtime, alice)
    assert alice.call("DELETE", path).status_code == 204
    assert [alice.get(path).status_code, alice.call("DELETE", path).status_code] == [404, 404]
    assert {row.state for row in on_their_way(runtime)} == {"failed"}


def test_a_secret_is_rotated(alice: OpenAi) -> None:
    made = register(alice)
    path = f"/api/webhooks/{made['endpoint']['id']}"
    rotated = body_of(alice.post(f"{path}/rotate"))
    assert rotated["secret"] != made["secret"]
    until = datetime.fromisoformat(rotated["endpoint"]["old_secret_until"])
    assert timedelta(hours=23) < until - now() <= timedelta(hours=24)
    assert body_of(alice.post(f"{path}/rotate", {"keep_old": False}))["endpoint"]["old_secret_until"] is None


def calls(webhook_id: str, delivery_id: str) -> list[tuple[str, str, Any]]:
    """Every call that names one of an owner's things."""
    path, since = f"/api/webhooks/{webhook_id}", {"since": "2026-01-01T00:00:00Z"}
    return [
        ("GET", path, None),
        ("PATCH", path, {"name": "x"}),
        ("DELETE", path, None),
        ("GET", f"{path}/secret", None),
        ("POST", f"{path}/rotate", {}),
        ("POST", f"{path}/test", {}),
        ("GET", f"{path}/deliveries", None),
        ("POST", f"{path}/resend_failed", since),
        ("POST", f"{path}/resend_missing", since),
        ("GET", f"/api/deliveries/{delivery_id}", None),
        ("POST", f"/api/deliveries/{delivery_id}/resend", None),
        ("GET", f"/v1/webhook_endpoints/{webhook_id}", None),
        ("POST", f"/v1/webhook_endpoints/{webhook_id}", {"name": "x"}),
        ("DELETE", f"/v1/webhook_endpoints/{webhook_id}", None),
        ("POST", f"/v1/webhook_endpoints/{webhook_id}/rotate_secret", {}),
        ("POST", f"/v1/webhook_endpoints/{webhook_id}/test", {"event_type": "batch.failed"}),
    ]


def test_nobody_finds_what_is_another_owners_or_nobodys(
    alice: OpenAi, client: FlaskClient, runtime: Runtime, receivers: FakeReceivers
) -> None:
    mallory, webhook_id = foreign(client, runtime), register(alice)["endpoint"]["id"]
    end_a_batch(runtime, alice)
    (delivery,) = deliveries(alice, webhook_id)

    def tried(rest: Rest, ids: tuple[str, str]) -> set[int]:
        return {ask(rest, method, path, said).status_code for method, path, said in calls(*ids)}

    assert tried(mallory, (webhook_id, delivery["id"])) == {404}
    assert tried(alice, (unknown("webhook"), unknown("delivery"))) == {404}
    assert receivers.received == []
    assert body_of(mallory.get("/api/webhooks"))["items"] == []


def ask(rest: Rest, method: str, path: str, said: Any) -> TestResponse:
    return rest.call(method, path) if said is None else rest.call(method, path, json=said)


# --- deliveries ---


def test_the_log_shows_each_try_with_the_heads_of_request_and_response(
    alice: OpenAi, runtime: Runtime, receivers: FakeReceivers
) -> None:
    webhook_id = register(alice)["endpoint"]["id"]
    batch = end_a_batch(runtime, alice)
    receivers.script.append(500)
    send_due(runtime)
    (delivery,) = deliveries(alice, webhook_id)
    told = {name: delivery[name] for name in ("type", "batch_id", "state", "tries", "http_status", "error")}
    assert told == {
        "type": "batch.completed",
        "batch_id": batch["id"],
        "state": "pending",
        "tries": 1,
        "http_status": 500,
        "error": "HTTP 500",
    }
    detail = body_of(alice.get(f"/api/deliveries/{delivery['id']}"))
    (tried,) = detail.pop("log")
    assert detail == delivery
    assert (tried["number"], tried["url"], tried["request_head"], tried["response_head"]) == (
        1,
        URL,
        "POST / HTTP/1.1",
        "HTTP/1.1 500",
    )


def test_deliveries_are_listed_by_state_and_page(alice: OpenAi, runtime: Runtime, receivers: FakeReceivers) -> None:
    webhook_id = register(alice)["endpoint"]["id"]
    for _ in range(3):
        end_a_batch(runtime, alice)
    receivers.script.append(500)
    send_due(runtime)
    assert [len(deliveries(alice, webhook_id, state=state)) for state in ("delivered", "pending", "failed")] == [
        2,
        1,
        0,
    ]
    page = body_of(alice.get(f"/api/webhooks/{webhook_id}/deliveries", query_string={"limit": 2}))
    last = deliveries(alice, webhook_id, cursor=page["next_cursor"])
    assert [each["id"] for each in page["items"] + last] == [each["id"] for each in deliveries(alice, webhook_id)]
    bad = alice.get(f"/api/webhooks/{webhook_id}/deliveries", query_string={"cursor": "x"})
    assert bad.status_code == 400


def test_one_all_that_failed_and_all_that_is_missing_is_sent_again(
    alice: OpenAi, runtime: Runtime, receivers: FakeReceivers
) -> None:
    since = {"since": (now() - timedelta(minutes=1)).isoformat()}
    end_a_batch(runtime, alice)
    webhook_id = register(alice)["endpoint"]["id"]
    path = f"/api/webhooks/{webhook_id}"
    assert body_of(alice.post(f"{path}/resend_missing", since)) == {"resent": 1}
    send_due(runtime)
    (delivery,) = deliveries(alice, webhook_id)
    assert body_of(alice.post(f"/api/deliveries/{delivery['id']}/resend"))["state"] == "pending"
    receivers.script.append(410)
    send_due(runtime)
    assert alice.post(f"{path}/resend_failed", since).status_code == 409, "it is disabled"
    assert alice.post(f"/api/deliveries/{delivery['id']}/resend").status_code == 409
    alice.call("PATCH", path, json={"enabled": True})
    assert body_of(alice.post(f"{path}/resend_failed", since)) == {"resent": 1}
    assert send_due(runtime) == 1
    assert len({message.headers["webhook-id"] for message in receivers.received}) == 1


def test_since_when_is_to_be_said_and_is_utc_without_an_offset(alice: OpenAi, runtime: Runtime) -> None:
    end_a_batch(runtime, alice)
    path = f"/api/webhooks/{register(alice)['endpoint']['id']}/resend_missing"
    assert alice.post(path, {}).status_code == 400
    for none in ("soon", 0, "0", "2026-01-01", "2026-01-01T00:00:00+99:99"):
        assert alice.post(path, {"since": none}).status_code == 400, none
    soon = (datetime.now(UTC) + timedelta(minutes=5)).replace(tzinfo=None).isoformat()
    assert body_of(alice.post(path, {"since": soon})) == {"resent": 0}


def test_an_example_is_sent_and_answered_for(alice: OpenAi, runtime: Runtime, receivers: FakeReceivers) -> None:
    made = register(alice)
    tried = body_of(alice.post(f"/api/webhooks/{made['endpoint']['id']}/test", {"type": "batch.expired"}))
    assert (tried["state"], tried["http_status"], tried["batch_id"]) == ("delivered", 200, None)
    (message,) = receivers.received
    verified = standardwebhooks.Webhook(made["secret"]).verify(message.body, dict(message.headers))
    assert (verified["type"], outbox(runtime)) == ("batch.expired", ["batch.expired"])


def test_no_more_than_a_quarter_of_the_threads_wait_for_examples(
    make_runtime: MakeRuntime, runtime: Runtime, alice: OpenAi
) -> None:
    path = f"/api/webhooks/{register(alice)['endpoint']['id']}/test"
    for _ in range(runtime.settings.web_threads // 4):
        assert runtime.waiting.acquire(blocking=False)
    response = alice.post(path, {})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    runtime.waiting.release()
    assert alice.post(path, {}).status_code == 200


# --- a URL that a batch names ---


def test_a_batch_may_name_a_url_and_its_secret_is_to_be_had(
    alice: OpenAi, runtime: Runtime, receivers: FakeReceivers
) -> None:
    batch = end_a_batch(runtime, alice, webhook_url=URL)
    secret = body_of(alice.get(f"/api/webhooks/{batch['webhook_id']}/secret"))
    assert secret["endpoint"]["of_named_batches"] is True
    assert send_due(runtime) == 1
    (message,) = receivers.received
    verified = standardwebhooks.Webhook(secret["secret"]).verify(message.body, dict(message.headers))
    assert verified["data"]["id"] == batch["id"]


def test_a_batch_without_one_names_none_and_a_bad_one_is_refused(alice: OpenAi) -> None:
    assert alice.submit("a")["webhook_id"] is None
    said = {"jobs": [{"custom_id": "a", "text_data": "a"}], "webhook_url": "http://hooks.example.org/"}
    response = alice.post("/api/batches", said)
    assert (response.status_code, body_of(response)["errors"][0]["pointer"]) == (400, "/webhook_url")


# --- in OpenAI's words ---


def test_a_batch_of_a_file_may_name_a_url_too_whether_it_is_made_or_fails(
    alice: OpenAi, runtime: Runtime, receivers: FakeReceivers
) -> None:
    made = [alice.made(line("a"), webhook_url=URL), alice.made(b"{", webhook_url=URL)]
    assert [batch["status"] for batch in made] == ["in_progress", "failed"]
    Hive(runtime, alice.client).answer_all("x")
    alice.made(b"{")  # names none
    while send_due(runtime):
        pass
    told = {(event["type"], event["data"]["id"]) for event in (json.loads(each.body) for each in receivers.received)}
    assert told == {("batch.completed", made[0]["id"]), ("batch.failed", made[1]["id"])}


def test_a_url_of_a_batch_that_nothing_can_be_sent_to_is_a_bad_request(alice: OpenAi) -> None:
    file_id = alice.uploaded(as_file([line("a")]))
    for url in ("https://10.0.0.1/", "http://hooks.example.org/"):
        assert fault_of(alice.create(file_id, webhook_url=url)) == (400, None, "webhook_url")
    assert fault_of(alice.create(file_id, webhook_url=1)) == (400, "invalid_type", "webhook_url")
    assert body_of(alice.get("/v1/batches"))["data"] == []


def test_the_other_face_has_the_same_endpoints(alice: OpenAi, runtime: Runtime, receivers: FakeReceivers) -> None:
    said = {"url": URL, "name": "billing", "event_types": ["batch.completed", "response.completed"]}
    made = body_of(alice.post("/v1/webhook_endpoints", said))
    assert (made["object"], made["event_types"]) == ("webhook_endpoint", ["batch.completed"])
    secret = made.pop("signing_secret")
    path = f"/v1/webhook_endpoints/{made['id']}"
    assert body_of(alice.get(path)) == made
    assert body_of(alice.get(f"/api/webhooks/{made['id']}"))["name"] == "billing"
    alice.made(line("a"))
    Hive(runtime, alice.client).answer_all("x")
    send_due(runtime)
    (message,) = receivers.received
    assert standardwebhooks.Webhook(secret).verify(message.body, dict(message.headers))["type"] == "batch.completed"
    assert body_of(alice.post(path, {"name": "other"}))["name"] == "other"
    rotated = body_of(alice.post(f"{path}/rotate_secret", {"keep_old_secret_active_for_24_hours": True}))
    assert rotated["signing_secret"] != secret
    assert body_of(alice.get(f"/api/webhooks/{made['id']}"))["old_secret_until"] is not None
    assert body_of(alice.call("DELETE", path)) == {
        "id": made["id"],
        "object": "webhook_endpoint.deleted",
        "deleted": True,
    }


def test_its_lists_are_paged(alice: OpenAi) -> None:
    made = [register(alice, url=f"{URL}/{number}")["endpoint"]["id"] for number in range(3)]
    first = body_of(alice.get("/v1/webhook_endpoints", query_string={"limit": 2}))
    assert ([each["id"] for each in first["data"]], first["has_more"]) == ([made[2], made[1]], True)
    rest = body_of(alice.get("/v1/webhook_endpoints", query_string={"after": first["last_id"]}))
    assert ([each["id"] for each in rest["data"]], rest["has_more"]) == ([made[0]], False)
    assert fault_of(alice.get("/v1/webhook_endpoints", query_string={"after": "x"})) == (400, None, "after")


def test_its_tests_tell_the_status_or_that_there_was_none(alice: OpenAi, receivers: FakeReceivers) -> None:
    path = f"/v1/webhook_endpoints/{register(alice)['endpoint']['id']}/test"
    receivers.usual = 503
    tried = body_of(alice.post(path, {"event_type": "batch.failed"}))
    assert (tried["success"], tried["status_code"], tried["event_type"]) == (True, 503, "batch.failed")
    assert fault_of(alice.post(path, {"event_type": "video.failed"})) == (400, "invalid_value", "event_type")


def test_its_types_are_what_happens_here(alice: OpenAi) -> None:
    assert body_of(alice.get("/v1/webhook_event_types"))["data"] == [str(each) for each in EventType]


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"url": URL, "name": "x"}, (400, "missing_required_parameter", "event_types")),
        ({"url": URL, "name": "x", "event_types": ["video.failed"]}, (400, "invalid_value", "event_types")),
        ({"url": 5, "name": "x", "event_types": ["batch.failed"]}, (400, "invalid_type", "url")),
        ({"url": "http://x.org", "name": "x", "event_types": ["batch.failed"]}, (400, None, "url")),
    ],
)
def test_its_faults_are_said_in_its_words(alice: OpenAi, said: dict[str, Any], fault: tuple[Any, ...]) -> None:
    assert fault_of(alice.post("/v1/webhook_endpoints", said)) == fault
