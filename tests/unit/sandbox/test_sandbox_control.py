"""Steering a sandbox over HTTP: profile, queue, keys, reset, ledger."""

from typing import Any

import pytest

from tests.unit.sandbox.served import Client, Serve


def put_profile(client: Client, **body: Any) -> Any:
    return client.call("PUT", "/sandbox/profile", json=body)


def test_the_profile_can_be_read_and_changed(serve: Serve) -> None:
    client = serve(profile="default", seed=3)
    shown = client.call("GET", "/sandbox/profile").json()
    assert (shown["name"], shown["seed"]) == ("default", 3)
    assert put_profile(client, name="hostile", seed=9).json()["weights"]["lost"] > 0
    assert client.call("GET", "/sandbox/profile").json()["name"] == "hostile"


def test_own_weights_hold_from_now_on(client: Client) -> None:
    assert put_profile(client, weights={"status=503": 1}).json()["name"] == "custom"
    assert client.submit().status_code == 503


def test_a_new_seed_keeps_the_profile(serve: Serve) -> None:
    shown = put_profile(serve(profile="hostile"), seed=4).json()
    assert (shown["name"], shown["seed"]) == ("hostile", 4)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": "wild"}, "unknown profile 'wild'"),
        ({"seed": "1"}, "seed"),
        ({"weights": {"lsot": 1}}, "lsot"),
        ({"weights": []}, "weights must be an object"),
        ({"profile": "calm"}, "unknown fields: profile"),
    ],
)
def test_a_bad_profile_is_refused_and_changes_nothing(client: Client, body: dict[str, Any], message: str) -> None:
    response = put_profile(client, **body)
    assert response.status_code == 400
    assert message in response.json()["message"]
    assert client.call("GET", "/sandbox/profile").json()["name"] == "calm"


def test_the_next_requests_get_what_was_queued(client: Client) -> None:
    answer = client.call("POST", "/sandbox/next", json={"switches": "status=429 retry_after=1", "count": 2})
    assert answer.status_code == 200
    assert [client.submit(f"p{number}").status_code for number in range(3)] == [429, 429, 200]


@pytest.mark.parametrize(
    "body",
    [
        {"switches": "lsot"},
        {"switches": ["lost"]},
        {"switches": "lost", "count": 0},
        {"switches": "lost", "count": True},
        {"switches": "lost times=1"},
        {},
        [],
    ],
)
def test_what_can_not_be_queued_is_refused(client: Client, body: object) -> None:
    assert client.call("POST", "/sandbox/next", json=body).status_code == 400
    assert client.submit().status_code == 200


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_key_can_be_refused_and_accepted_again(client: Client, status: int) -> None:
    client.call("POST", "/sandbox/keys", json={"key": "secret", "status": status})
    refused = client.submit()
    assert (refused.status_code, refused.json()["return_code"]) == (status, status)
    client.call("POST", "/sandbox/keys", json={"key": "secret", "status": 200})
    assert client.submit().status_code == 200
    totals = client.ledger()["totals"]
    assert (totals["requests"], totals["accepted"], totals["refused"]) == (2, 1, 1)


@pytest.mark.parametrize("body", [{"key": "", "status": 401}, {"key": "k", "status": 500}, {"key": "k"}])
def test_a_key_is_refused_with_a_key_status_only(client: Client, body: dict[str, object]) -> None:
    assert client.call("POST", "/sandbox/keys", json=body).status_code == 400


@pytest.mark.parametrize("header", ["token secret", "TOKEN  secret ", "Token secret"])
def test_the_scheme_is_case_insensitive(client: Client, header: str) -> None:
    client.headers = {"authorization": header.strip()}
    assert client.submit().status_code == 200


@pytest.mark.parametrize("header", ["", "secret", "Bearer secret", "Token", "Token "])
def test_a_request_without_token_is_refused(client: Client, header: str) -> None:
    client.headers = {"Authorization": header.strip()}
    statuses = [client.submit().status_code, client.sync().status_code, client.look_up("x").status_code]
    assert statuses == [401, 401, 401]


def test_only_configured_keys_are_accepted(serve: Serve) -> None:
    client = serve(keys=frozenset({"first", "second"}))
    assert client.submit().status_code == 401
    client.call("POST", "/sandbox/keys", json={"key": "secret", "status": 200})
    assert client.submit().status_code == 200
    client.headers = {"Authorization": "Token second"}
    assert client.submit().status_code == 200


def test_reset_goes_back_to_the_beginning(client: Client) -> None:
    put_profile(client, name="hostile")
    client.call("POST", "/sandbox/next", json={"switches": "status=503", "count": 9})
    client.call("POST", "/sandbox/keys", json={"key": "secret", "status": 401})
    client.submit()
    assert client.call("POST", "/sandbox/reset").status_code == 200
    assert client.ledger()["totals"]["requests"] == 0
    assert client.submit().status_code == 200
    assert client.ledger()["entries"][0]["submission"] == 1


def test_reset_drops_callbacks_that_wait(client: Client) -> None:
    client.submit("x [[sandbox delay=60]]")
    assert client.call("GET", "/sandbox/ledger").json()["settled"] is False
    client.call("POST", "/sandbox/reset")
    assert client.ledger()["totals"]["callbacks"] == 0


def test_the_ledger_can_be_read_in_parts(client: Client) -> None:
    for number in range(5):
        client.submit(f"p{number}")
        client.submit(f"p{number} [[sandbox status=503]]")
    whole, first = client.ledger(), client.ledger(limit=2)
    second = client.ledger(since=first["next"], refused_since=first["refused_next"], limit=9)
    for name, count in (("entries", 5), ("refused", 5)):
        assert first[name] + second[name] == whole[name]
        assert len(whole[name]) == count
    assert (second["next"], second["refused_next"]) == (5, 5)
    assert first["totals"] == whole["totals"]


def test_the_ledger_counts_the_faults(client: Client) -> None:
    client.submit("x [[sandbox lost]]")
    client.submit("y [[sandbox lost]]")
    client.submit("z [[sandbox status=503]]")
    client.submit("calm")
    assert client.ledger()["totals"]["faults"] == {"lost": 2, "status=503": 1}


@pytest.mark.parametrize("query", ["since=-1", "limit=x", "settle=soon"])
def test_a_bad_offset_is_refused(client: Client, query: str) -> None:
    assert client.call("GET", f"/sandbox/ledger?{query}").status_code == 400
