"""Callbacks: sent, doubled, kept back and overtaken."""

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from app.sandbox import answer_for
from tests.unit.sandbox.served import Client, Serve


def test_a_callback_brings_the_answer_to_its_prompt(client: Client) -> None:
    task_id = client.submit("Name a river", metadata="job-17").json()["task_id"]
    [body] = client.receiver.wait(1)
    assert (body["id"], body["metadata"]) == (task_id, "job-17")
    content = body["status"][0]["response"]["output"][0]["choices"][0]["message"]["content"]
    assert content == answer_for("Name a river", None)


def test_a_callback_is_ledgered_with_the_receivers_answer(client: Client) -> None:
    client.submit()
    [entry] = client.ledger()["entries"]
    assert [(sent["kind"], sent["status"], sent["error"]) for sent in entry["callbacks"]] == [("plain", 200, None)]
    assert entry["outcome"] == "delivered"


def test_a_callback_that_is_answered_with_an_error_is_not_sent_again(client: Client) -> None:
    client.receiver.status = 503
    client.submit()
    [entry] = client.ledger()["entries"]
    assert ([sent["status"] for sent in entry["callbacks"]], entry["outcome"]) == ([503], "undelivered")
    assert client.receiver.count == 1


def test_a_redirect_is_not_followed(client: Client) -> None:
    client.receiver.status = 302
    client.submit()
    assert client.ledger()["entries"][0]["callbacks"][0]["status"] == 302


def test_a_receiver_that_is_not_there_is_an_error_in_the_ledger(client: Client) -> None:
    client.submit(callback_url="http://127.0.0.1:1/cb")
    [entry] = client.ledger()["entries"]
    assert [(sent["status"], sent["error"]) for sent in entry["callbacks"]] == [(None, "ConnectionError")]
    assert entry["outcome"] == "undelivered"


def test_a_lost_callback_is_ledgered_as_lost_and_billed(client: Client) -> None:
    client.submit("x [[sandbox lost]]")
    ledger = client.ledger()
    assert (ledger["entries"][0]["outcome"], ledger["entries"][0]["callbacks"]) == ("lost", [])
    assert (ledger["totals"]["lost"], ledger["totals"]["cost"]) == (1, "0.00005")
    assert client.receiver.count == 0


def test_a_duplicate_is_the_same_body_twice(client: Client) -> None:
    client.submit("x [[sandbox duplicate]]")
    first, second = client.receiver.raw(2)
    assert first == second
    ledger = client.ledger()
    assert sorted(sent["kind"] for sent in ledger["entries"][0]["callbacks"]) == ["duplicate", "plain"]
    assert (ledger["totals"]["duplicates"], ledger["totals"]["accepted"]) == (1, 1)


def test_a_resent_callback_says_so(serve: Serve) -> None:
    client = serve(repeat_seconds=0.05)
    client.submit("x [[sandbox resent]]")
    first, second = client.receiver.wait(2)
    assert client.ledger()["totals"]["duplicates"] == 1
    assert second.keys() - first.keys() == {"resent_on", "resent_by"}
    assert first["id"] == second["id"]


def test_the_ack_waits_until_the_callback_is_answered(client: Client) -> None:
    client.receiver.may_answer.clear()
    with ThreadPoolExecutor(1) as pool:
        submit = pool.submit(client.submit, "x [[sandbox before_ack]]")
        client.receiver.raw(1)
        assert not submit.done()
        client.receiver.may_answer.set()
        ack = submit.result()
    assert ack.json()["task_id"] == client.receiver.wait(1)[0]["id"]
    assert client.ledger()["entries"][0]["callbacks"][0]["kind"] == "before_ack"


def test_an_ordinary_ack_does_not_wait_for_the_callback(client: Client) -> None:
    client.receiver.may_answer.clear()
    assert client.submit().status_code == 200
    client.receiver.may_answer.set()
    assert client.ledger()["totals"]["callbacks"] == 1


def test_a_reordered_callback_is_overtaken_by_the_next_task(serve: Serve) -> None:
    client = serve(reorder_seconds=60)
    first = client.submit("x [[sandbox reordered]]").json()["task_id"]
    second = client.submit("y").json()["task_id"]
    assert [body["id"] for body in client.receiver.wait(2)] == [second, first]


def test_a_reordered_callback_comes_in_the_end_though_nothing_overtakes_it(serve: Serve) -> None:
    client = serve(reorder_seconds=0.05)
    client.submit("x [[sandbox reordered]]")
    client.receiver.raw(1)
    assert client.ledger()["entries"][0]["callbacks"][0]["kind"] == "reordered"


def test_a_delayed_callback_lets_later_tasks_past(client: Client) -> None:
    slow = client.submit("x [[sandbox delay=0.3]]").json()["task_id"]
    quick = client.submit("y").json()["task_id"]
    assert [body["id"] for body in client.receiver.wait(2)] == [quick, slow]


def test_a_late_callback_takes_the_late_seconds(serve: Serve) -> None:
    client = serve(late_seconds=0.2)
    begun = time.monotonic()
    client.submit("x [[sandbox late]]")
    client.receiver.raw(1)
    assert time.monotonic() - begun >= 0.2
    assert client.ledger()["entries"][0]["callbacks"][0]["kind"] == "late"


def test_a_malformed_callback_can_not_be_parsed(client: Client) -> None:
    client.submit("x [[sandbox malformed]]")
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
        client.receiver.wait(1)


def test_a_callback_can_be_triggered_for_a_lost_one(client: Client) -> None:
    task_id = client.submit("x [[sandbox lost]]").json()["task_id"]
    response = client.call("POST", "/api/v2/task/trigger_callback", params={"task_id": task_id})
    assert response.status_code == 200
    [body] = client.receiver.wait(1)
    assert (body["id"], body["resent_by"]) == (task_id, "sandbox")
    assert client.ledger()["entries"][0]["outcome"] == "delivered"


def test_no_callback_is_triggered_without_a_result(client: Client) -> None:
    slow = client.submit("x [[sandbox delay=60]]").json()["task_id"]
    sync = client.sync().json()["id"]
    path = "/api/v2/task/trigger_callback?task_id="
    answers = [client.call("POST", path + task_id) for task_id in (slow, sync, "nope")]
    assert [answer.status_code for answer in answers] == [400, 400, 404]
    assert client.receiver.count == 0


def test_many_callbacks_meet_their_tasks_and_cost_what_the_ledger_says(client: Client) -> None:
    prompts = [f"Name {number} rivers" for number in range(200)]
    with ThreadPoolExecutor(16) as pool:
        acks = list(pool.map(client.submit, prompts))
    by_task = {ack.json()["task_id"]: prompt for ack, prompt in zip(acks, prompts, strict=True)}
    bodies = client.receiver.wait(200)
    texts = {body["id"]: body["status"][0]["response"]["input"]["text"] for body in bodies}
    assert texts == by_task
    totals = client.ledger()["totals"]
    charges = sum(Decimal(str(body["status"][0]["response"]["input"]["charge"])) for body in bodies)
    assert (totals["callbacks"], Decimal(totals["cost"])) == (200, charges)
