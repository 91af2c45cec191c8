"""Batches over REST, from the submit to the removal."""

import json
import tracemalloc
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.runtime import Runtime
from app.services import keys
from tests.conftest import MakeRuntime
from tests.integration.rest import Hive, Rest, answer, body_of, foreign, jobs, unknown


@pytest.fixture
def api(client: FlaskClient, api_key: str) -> Rest:
    return Rest(client, api_key)


@pytest.fixture
def hive(runtime: Runtime, client: FlaskClient) -> Hive:
    return Hive(runtime, client)


def test_a_submitted_batch_is_stored_whole_and_found_again(api: Rest) -> None:
    response = api.post("/api/batches", {"name": "n", "metadata": {"k": "v"}, "jobs": jobs("a", "b")})
    batch = body_of(response)
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/batches/{batch['id']}"
    assert (batch["name"], batch["metadata"], batch["total"], batch["status"]) == ("n", {"k": "v"}, 2, "in_progress")
    assert batch["counts"]["queued"] == 2
    assert (batch["cost"], batch["line_errors"], batch["finalized_at"]) == ("0", [], None)
    assert batch["created_at"].endswith("Z")
    assert body_of(api.get(response.headers["Location"])) == batch


def test_options_of_the_batch_are_defaults_for_its_jobs(api: Rest) -> None:
    own = {"custom_id": "own", "text_data": "b", "options": {"max_tokens": 2, "temperature": 0}}
    batch = api.submit("a", options={"max_tokens": 1, "top_p": 0.5}, jobs=[*jobs("a"), own])
    listed = body_of(api.get(f"/api/batches/{batch['id']}/jobs"))["items"]
    options = [body_of(api.get(f"/api/jobs/{job['id']}"))["options"] for job in listed]
    assert options == [{"max_tokens": 1, "top_p": 0.5}, {"max_tokens": 2, "top_p": 0.5, "temperature": 0}]
    assert batch["options"] == {"max_tokens": 1, "top_p": 0.5}


def test_lines_bring_jobs_and_the_query_the_rest(api: Rest) -> None:
    query = {"name": "lines", "max_attempts": 2, "metadata": '{"k": "v"}', "options": '{"max_tokens": 3}'}
    response = api.post_lines(jobs("a", "b", "c"), query_string=query)
    batch = body_of(response)
    assert response.status_code == 201
    assert (batch["total"], batch["name"], batch["max_attempts"]) == (3, "lines", 2)
    assert (batch["metadata"], batch["options"]) == ({"k": "v"}, {"max_tokens": 3})


def test_lines_take_no_more_memory_however_many_they_are(runtime: Runtime, api_key: str, tmp_path: Path) -> None:
    peaks = []
    for size in (500, 4000):
        path = tmp_path / f"{size}.jsonl"
        with path.open("w") as file:
            file.writelines(json.dumps({"custom_id": f"{n}", "text_data": "x" * 4000}) + "\n" for n in range(size))
        headers = {"Authorization": f"Bearer {api_key}", "Content-Length": str(path.stat().st_size)}
        headers["Content-Type"] = "application/x-ndjson"
        with create_app(runtime).test_client() as client, path.open("rb") as body:
            tracemalloc.start()
            response = client.post("/api/batches", headers=headers, input_stream=body)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert body_of(response)["total"] == size
    assert peaks[1] - peaks[0] < 3500 * 4000 / 5, peaks


def test_a_document_that_is_too_large_is_sent_to_lines(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(max_json_bytes=100)
    api = Rest(create_app(runtime).test_client(), keys.create(runtime, "alice", "tests").secret)
    refused = api.post("/api/batches", {"jobs": jobs("a" * 100)})
    assert refused.status_code == 413
    assert "As application/x-ndjson it may have 200000000." in body_of(refused)["detail"]
    assert api.post_lines(jobs("a" * 100)).status_code == 201


def test_lines_may_have_a_byte_order_mark_windows_ends_and_blank_lines_between(api: Rest) -> None:
    first, second = (json.dumps(job).encode() for job in jobs("ä", "b"))
    body = b"\xef\xbb\xbf" + first + b"\r\n\r\n" + second
    response = api.call("POST", "/api/batches", data=body, content_type="application/x-ndjson; charset=utf-8")
    assert response.status_code == 201
    assert body_of(response)["total"] == 2


def test_skip_takes_the_good_lines_and_reports_the_others(api: Rest) -> None:
    lines = [*jobs("a"), {"custom_id": "bad"}, {"custom_id": "job-0", "text_data": "again"}, 7]
    response = api.post_lines(lines, query_string={"on_invalid": "skip"})
    batch = body_of(response)
    assert response.status_code == 201
    assert (batch["total"], batch["line_errors_total"]) == (1, 3)
    assert [(error["line"], error["pointer"]) for error in batch["line_errors"]] == [
        (2, "/text_data"),
        (3, "/custom_id"),
        (4, ""),
    ]


def test_skip_in_a_document_points_into_it(api: Rest) -> None:
    batch = api.submit(on_invalid="skip", jobs=[{"custom_id": "bad"}, *jobs("a", "b"), *jobs("c")])
    assert batch["total"] == 2
    assert [error["pointer"] for error in batch["line_errors"]] == ["/jobs/0/text_data", "/jobs/3/custom_id"]


def test_batches_are_listed_newest_first_page_by_page(api: Rest) -> None:
    made = [api.submit("a", name=str(number))["id"] for number in range(3)]
    first = body_of(api.get("/api/batches?limit=2"))
    second = body_of(api.get(f"/api/batches?limit=2&cursor={first['next_cursor']}"))
    assert [batch["id"] for batch in first["items"] + second["items"]] == made[::-1]
    assert second["next_cursor"] is None


def test_nobody_sees_or_touches_another_owners_batch(api: Rest, client: FlaskClient, runtime: Runtime) -> None:
    batch = api.submit("a")
    job = body_of(api.get(f"/api/batches/{batch['id']}/jobs"))["items"][0]
    mallory = foreign(client, runtime)
    paths = ["", "/jobs", "/results"]
    answers = [mallory.get(f"/api/batches/{batch['id']}{path}") for path in paths]
    answers += [mallory.post(f"/api/batches/{batch['id']}/{verb}") for verb in ("cancel", "retry")]
    answers += [mallory.call("DELETE", f"/api/batches/{batch['id']}"), mallory.get(f"/api/jobs/{job['id']}")]
    assert [response.status_code for response in answers] == [404] * 7
    assert body_of(mallory.get("/api/batches"))["items"] == []
    assert api.counts(batch["id"]) == {"queued": 1}


def test_an_id_that_never_was_and_one_that_can_not_be_get_the_same_answer(api: Rest) -> None:
    for shown in (unknown("batch"), "batch_x", "x", unknown("job")):
        response = api.get(f"/api/batches/{shown}")
        assert response.status_code == 404
        assert body_of(response)["detail"] == f"No batch found with id '{shown}'."


def test_jobs_are_listed_in_input_order_by_state_and_custom_id(api: Rest, hive: Hive) -> None:
    batch = api.submit("a", "b", "c")
    hive.take(1)
    path = f"/api/batches/{batch['id']}/jobs"
    assert [job["custom_id"] for job in body_of(api.get(path))["items"]] == ["job-0", "job-1", "job-2"]
    assert [job["custom_id"] for job in body_of(api.get(f"{path}?state=queued"))["items"]] == ["job-1", "job-2"]
    both = body_of(api.get(f"{path}?state=queued,failed&state=submitting"))["items"]
    assert [job["state"] for job in both] == ["submitting", "queued", "queued"]
    (only,) = body_of(api.get(f"{path}?custom_id=job-1"))["items"]
    assert (only["position"], only["attempts"], only["error"]) == (1, 0, None)


def test_jobs_come_page_by_page(api: Rest) -> None:
    batch = api.submit("a", "b", "c")
    path = f"/api/batches/{batch['id']}/jobs?limit=2"
    first = body_of(api.get(path))
    second = body_of(api.get(f"{path}&cursor={first['next_cursor']}"))
    assert [job["position"] for job in first["items"] + second["items"]] == [0, 1, 2]
    assert second["next_cursor"] is None


def test_results_stream_in_input_order_at_any_moment(api: Rest, hive: Hive) -> None:
    batch = api.submit("a", "b", "c")
    paths = hive.take(2)
    hive.call_back(paths[1], answer("B"))
    response = api.get(f"/api/batches/{batch['id']}/results")
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert response.headers["X-Complete"] == "false"
    assert [(line["position"], line["state"], line.get("text")) for line in lines] == [
        (0, "submitting", None),
        (1, "completed", "B"),
        (2, "queued", None),
    ]
    assert (lines[1]["source"], lines[1]["attempts"]) == ("callback", 1)
    assert "text" not in lines[0]


def test_results_of_a_batch_that_is_over_are_complete(api: Rest, hive: Hive) -> None:
    batch = api.submit("a", "b")
    hive.answer_all("done")
    response = api.get(f"/api/batches/{batch['id']}/results")
    assert response.headers["X-Complete"] == "true"
    assert body_of(api.get(f"/api/batches/{batch['id']}"))["status"] == "completed"
    assert [line["text"] for line in api.results(batch["id"])] == ["done", "done"]


def test_results_may_be_of_some_states_only(api: Rest, hive: Hive) -> None:
    batch = api.submit("a", "b")
    hive.call_back(hive.take(1)[0], answer("A"))
    lines = api.results(batch["id"], query_string={"state": "completed"})
    assert [line["custom_id"] for line in lines] == ["job-0"]


def test_results_of_more_jobs_than_a_page_holds_come_all(api: Rest) -> None:
    batch = api.submit(*["x"] * 1001)
    assert [line["position"] for line in api.results(batch["id"])] == list(range(1001))


def test_cancel_ends_what_is_open_and_keeps_what_is_done(api: Rest, hive: Hive) -> None:
    batch = api.submit("a", "b", "c")
    hive.call_back(hive.take(1)[0], answer("A"))
    response = api.post(f"/api/batches/{batch['id']}/cancel")
    assert (response.status_code, body_of(response)) == (200, {"cancelled": 2})
    assert api.counts(batch["id"]) == {"completed": 1, "cancelled": 2}
    assert body_of(api.get(f"/api/batches/{batch['id']}"))["status"] == "cancelled"


def test_cancel_takes_only_the_jobs_that_are_named(api: Rest) -> None:
    batch = api.submit("a", "b")
    response = api.post(f"/api/batches/{batch['id']}/cancel", {"custom_ids": ["job-0"]})
    assert body_of(response) == {"cancelled": 1}
    assert api.counts(batch["id"]) == {"queued": 1, "cancelled": 1}
    assert body_of(api.get(f"/api/batches/{batch['id']}"))["status"] == "in_progress"


def test_cancel_of_a_name_that_the_batch_does_not_have_cancels_nothing(api: Rest) -> None:
    batch = api.submit("a", "b")
    response = api.post(f"/api/batches/{batch['id']}/cancel", {"custom_ids": ["job-0", "nobody"]})
    assert response.status_code == 400
    assert body_of(response)["errors"][0]["pointer"] == "/custom_ids/1"
    assert api.counts(batch["id"]) == {"queued": 2}


def test_a_named_job_that_is_completed_can_not_be_cancelled(api: Rest, hive: Hive) -> None:
    batch = api.submit("a")
    hive.answer_all("done")
    response = api.post(f"/api/batches/{batch['id']}/cancel", {"custom_ids": ["job-0"]})
    assert response.status_code == 409
    assert api.counts(batch["id"]) == {"completed": 1}


def test_options_of_a_job_stand_above_those_of_its_batch(api: Rest) -> None:
    jobs = [{"custom_id": "a", "text_data": "Hi", "options": {"max_tokens": 1, "roles": {"user": "u"}}}]
    batch = body_of(
        api.post("/api/batches", {"options": {"max_tokens": 9, "top_p": 1, "roles": {"model": "m"}}, "jobs": jobs})
    )
    job = body_of(api.get(f"/api/batches/{batch['id']}/jobs"))["items"][0]
    asked = body_of(api.get(f"/api/jobs/{job['id']}"))
    assert asked["options"] == {"max_tokens": 1, "top_p": 1, "roles": {"user": "u"}}


def test_a_batch_that_ended_by_itself_can_not_be_cancelled(api: Rest, hive: Hive) -> None:
    batch = api.submit("a")
    hive.answer_all("done")
    assert api.post(f"/api/batches/{batch['id']}/cancel", {}).status_code == 409


def test_retry_takes_all_that_was_cancelled_or_only_what_is_named(api: Rest) -> None:
    batch = api.submit("a", "b", "c")
    api.post(f"/api/batches/{batch['id']}/cancel")
    named = api.post(f"/api/batches/{batch['id']}/retry", {"custom_ids": ["job-1"]})
    assert (named.status_code, body_of(named)) == (200, {"queued": 1, "salvaged": 0})
    assert api.counts(batch["id"]) == {"queued": 1, "cancelled": 2}
    assert body_of(api.post(f"/api/batches/{batch['id']}/retry")) == {"queued": 2, "salvaged": 0}
    assert body_of(api.get(f"/api/batches/{batch['id']}"))["round"] == 3


def test_retry_of_a_cancelled_job_whose_answer_came_late_costs_nothing(api: Rest, hive: Hive) -> None:
    batch = api.submit("a")
    (path,) = hive.take()
    api.post(f"/api/batches/{batch['id']}/cancel")
    assert hive.call_back(path, answer("late")).status_code == 200
    assert api.counts(batch["id"]) == {"cancelled": 1}
    assert body_of(api.post(f"/api/batches/{batch['id']}/retry", {})) == {"queued": 0, "salvaged": 1}
    assert [line["text"] for line in api.results(batch["id"])] == ["late"]


def test_retry_names_the_ids_that_the_batch_does_not_have(api: Rest) -> None:
    batch = api.submit("a")
    response = api.post(f"/api/batches/{batch['id']}/retry", {"custom_ids": ["job-0", "nope"]})
    assert response.status_code == 400
    (error,) = body_of(response)["errors"]
    assert (error["pointer"], error["value"]) == ("/custom_ids/1", "nope")


def test_retry_of_a_job_that_is_not_over_is_a_conflict(api: Rest) -> None:
    batch = api.submit("a")
    assert api.post(f"/api/batches/{batch['id']}/retry", {"custom_ids": ["job-0"]}).status_code == 409


def test_retry_takes_as_many_ids_as_a_batch_has_jobs_and_no_more(api: Rest) -> None:
    path = f"/api/batches/{api.submit('a')['id']}/retry"
    most = api.post(path, {"custom_ids": [f"x{number}" for number in range(50_000)]})
    assert (most.status_code, body_of(most)["errors_total"]) == (400, 50_000)
    more = api.post(path, {"custom_ids": [f"x{number}" for number in range(50_001)]})
    assert (more.status_code, body_of(more)["errors"][0]["limit"]) == (400, 50_000)


def test_a_finished_batch_can_be_removed_and_is_gone(api: Rest, hive: Hive) -> None:
    batch = api.submit("a")
    (job,) = body_of(api.get(f"/api/batches/{batch['id']}/jobs"))["items"]
    assert api.call("DELETE", f"/api/batches/{batch['id']}").status_code == 409
    hive.answer_all("done")
    assert api.call("DELETE", f"/api/batches/{batch['id']}").status_code == 204
    assert api.get(f"/api/batches/{batch['id']}").status_code == 404
    assert api.get(f"/api/jobs/{job['id']}").status_code == 404
