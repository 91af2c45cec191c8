"""The same request with the same key makes one batch, however often and from however many threads it comes."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.runtime import Runtime
from app.services import status
from tests.integration.rest import Hive, Rest, body_of, foreign, jobs

KEY = {"Idempotency-Key": "order 66"}


@pytest.fixture
def api(client: FlaskClient, api_key: str) -> Rest:
    return Rest(client, api_key)


def stored(runtime: Runtime) -> int:
    return len(status.batches(runtime, None, None, 100).items)


def test_the_same_request_again_gets_the_same_batch(api: Rest, runtime: Runtime) -> None:
    first = api.post("/api/batches", {"jobs": jobs("a")}, headers=KEY)
    again = api.post("/api/batches", {"jobs": jobs("a")}, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Location"] == first.headers["Location"]
    assert body_of(again) == body_of(first)
    assert stored(runtime) == 1


def test_a_replay_shows_the_batch_as_it_is_now(api: Rest, runtime: Runtime, client: FlaskClient) -> None:
    api.post("/api/batches", {"jobs": jobs("a")}, headers=KEY)
    Hive(runtime, client).answer_all("done")
    assert body_of(api.post("/api/batches", {"jobs": jobs("a")}, headers=KEY))["status"] == "completed"


def test_another_body_query_content_type_or_path_with_the_same_key_is_a_conflict(api: Rest, runtime: Runtime) -> None:
    api.post_lines(jobs("a"), headers=KEY)
    conflicts = [
        api.post_lines(jobs("b"), headers=KEY),
        api.post_lines(jobs("a"), headers=KEY, query_string={"name": "n"}),
        api.post("/api/batches", {"jobs": jobs("a")}, headers=KEY),
        api.post("/api/jobs", {"text_data": "a"}, headers=KEY),
    ]
    assert [response.status_code for response in conflicts] == [409] * 4
    assert "Idempotency-Key" in body_of(conflicts[0])["detail"]
    assert stored(runtime) == 1


def test_the_order_of_the_query_and_the_charset_make_no_difference(api: Rest) -> None:
    body = b'{"custom_id": "a", "text_data": "b"}'
    answers = [
        api.call("POST", f"/api/batches?{query}", headers=KEY, data=body, content_type=f"application/x-ndjson{rest}")
        for query, rest in [("name=n&max_attempts=2", ""), ("max_attempts=2&name=n", "; charset=utf-8")]
    ]
    assert [response.status_code for response in answers] == [201, 200]


def test_keys_of_two_owners_do_not_meet(api: Rest, client: FlaskClient, runtime: Runtime) -> None:
    mine = api.post("/api/batches", {"jobs": jobs("a")}, headers=KEY)
    theirs = foreign(client, runtime).post("/api/batches", {"jobs": jobs("a")}, headers=KEY)
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert body_of(mine)["id"] != body_of(theirs)["id"]


def test_a_refused_request_does_not_use_up_its_key(api: Rest) -> None:
    assert api.post("/api/batches", {"jobs": []}, headers=KEY).status_code == 400
    assert api.post("/api/batches", {"jobs": jobs("a")}, headers=KEY).status_code == 201


def test_a_key_is_free_again_when_its_batch_was_removed(api: Rest, runtime: Runtime, client: FlaskClient) -> None:
    first = api.post("/api/batches", {"jobs": jobs("a")}, headers=KEY)
    Hive(runtime, client).answer_all("done")
    assert api.call("DELETE", first.headers["Location"]).status_code == 204
    assert api.post("/api/batches", {"jobs": jobs("b")}, headers=KEY).status_code == 201


def test_single_jobs_are_replayed_too(api: Rest, runtime: Runtime) -> None:
    first = api.post("/api/jobs", {"text_data": "a"}, headers=KEY)
    again = api.post("/api/jobs", {"text_data": "a"}, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 200)
    assert body_of(again) == body_of(first)
    assert stored(runtime) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tinside", "é"])
def test_a_key_that_is_none_is_refused(api: Rest, runtime: Runtime, key: str) -> None:
    response = api.post("/api/batches", {"jobs": jobs("a")}, headers={"Idempotency-Key": key})
    assert response.status_code == 400
    assert "Idempotency-Key" in body_of(response)["errors"][0]["message"]
    assert stored(runtime) == 0


def test_a_key_of_255_characters_is_good(api: Rest) -> None:
    assert api.post("/api/batches", {"jobs": jobs("a")}, headers={"Idempotency-Key": "~" * 255}).status_code == 201


def test_those_who_lose_the_race_for_a_key_get_the_winners_batch(runtime: Runtime, api_key: str) -> None:
    app = create_app(runtime)

    def submit(_: int) -> tuple[int, str]:
        response = Rest(app.test_client(), api_key).post("/api/batches", {"jobs": jobs(*"abc")}, headers=KEY)
        return response.status_code, body_of(response)["id"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(submit, range(8)))
    assert sorted(code for code, _ in answers) == [200] * 7 + [201]
    assert len({batch_id for _, batch_id in answers}) == 1
    assert stored(runtime) == 1
