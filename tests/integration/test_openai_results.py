"""Output and error files: what their lines say, while a batch runs and after it, and from which line on."""

import pytest
from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory

from app.providers.base import Rejected
from app.runtime import Runtime
from app.services import claims
from tests.factories import record
from tests.integration.openai_client import OpenAi, line
from tests.integration.rest import Hive, answer, body_of

USAGE = {
    "prompt_tokens": 3,
    "completion_tokens": 4,
    "total_tokens": 7,
    "completion_tokens_details": {"reasoning_tokens": 1},
}


@pytest.fixture
def api(client: FlaskClient, api_key: str) -> OpenAi:
    return OpenAi(client, api_key)


@pytest.fixture
def hive(runtime: Runtime, client: FlaskClient) -> Hive:
    return Hive(runtime, client)


def with_usage(text: str, usage: object, **more: object) -> dict[str, object]:
    response = {"choices": [{"message": {"content": text}, "finish_reason": "length"}], "usage": usage} | more
    return {"id": "t-1", "status": [{"status": {"code": "0"}, "response": response}]}


def test_a_line_of_output_is_a_chat_completion_of_the_model_that_was_asked_for(api: OpenAi, hive: Hive) -> None:
    batch = api.made(line("a", model="acme/two"))
    (path,) = hive.take()
    hive.call_back(path, with_usage("Hello ☃\u2028.", USAGE))
    (found,) = api.content(api.batch(batch["id"])["output_file_id"])
    assert found["id"].startswith("batch_req_")
    assert (found["custom_id"], found["error"], found["response"]["status_code"]) == ("a", None, 200)
    assert found["response"]["request_id"]
    completion = found["response"]["body"]
    assert (completion["object"], completion["model"]) == ("chat.completion", "acme/two")
    (choice,) = completion["choices"]
    assert (choice["message"]["role"], choice["message"]["content"]) == ("assistant", "Hello ☃\u2028.")
    assert choice["finish_reason"] == "length"
    assert completion["usage"]["total_tokens"] == 7


def test_the_model_of_an_answer_is_the_one_that_the_provider_tells(api: OpenAi, hive: Hive) -> None:
    batch = api.made(line("a"))
    (path,) = hive.take()
    hive.call_back(path, with_usage("hi", USAGE, input={"model": "llama-3.2-1b-instruct"}))
    (found,) = api.content(api.batch(batch["id"])["output_file_id"])
    assert found["response"]["body"]["model"] == "llama-3.2-1b-instruct"


def test_usage_is_summed_over_the_answers_that_tell_it(api: OpenAi, hive: Hive) -> None:
    batch = api.made(line("a"), line("b"), line("c"), line("d"))
    paths = hive.take()
    for path, usage in zip(paths, [USAGE, {"prompt_tokens": "many"}, USAGE, {"prompt_tokens": 1.5}], strict=True):
        hive.call_back(path, with_usage("hi", usage))
    assert api.batch(batch["id"])["usage"] == {
        "input_tokens": 6,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 8,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 14,
    }


def test_usage_that_nobody_told_is_null(api: OpenAi, hive: Hive) -> None:
    batch = api.made(line("a"))
    hive.answer_all("hi")
    assert api.batch(batch["id"])["usage"] is None


def test_an_error_of_the_provider_keeps_its_status_and_says_it_twice(api: OpenAi, hive: Hive, runtime: Runtime) -> None:
    batch = api.made(line("a"), line("b"))
    first, _ = claims.claim(runtime, "hive_v2", 2, is_idle=True)
    record(runtime, first, Rejected("http_422", "Too rude.", 422))
    api.post(f"/v1/batches/{batch['id']}/cancel")
    ended = api.batch(batch["id"])
    found = {each["custom_id"]: each for each in api.content(ended["error_file_id"])}
    assert found["a"]["response"]["status_code"] == 422
    assert found["a"]["response"]["body"]["error"]["message"] == "Too rude."
    assert found["a"]["error"] == {"code": "http_422", "message": "Too rude."}
    assert (found["b"]["response"], found["b"]["error"]["code"]) == (None, "batch_cancelled")
    assert ended["output_file_id"] is None


def test_a_running_batch_can_be_read_on_from_the_last_line_that_was_seen(
    api: OpenAi, hive: Hive, clock: FrozenDateTimeFactory
) -> None:
    batch = api.made(*(line(name) for name in "abc"))
    paths = dict(zip("abc", hive.take(), strict=True))
    path = "/v1/files/{}/content"
    hive.call_back(paths["c"], answer("3"))
    clock.tick(11)
    hive.call_back(paths["a"], answer("1"))
    output = api.batch(batch["id"])["output_file_id"]
    first = api.get(path.format(output))
    assert [each["custom_id"] for each in api.content(output)] == ["c"]
    assert (first.headers["X-Incomplete"], first.headers["X-Last-Line"]) == ("true", "1")
    clock.tick(11)
    assert [each["custom_id"] for each in api.content(output, offset=1)] == ["a"]
    hive.call_back(paths["b"], answer("2"))
    last = api.get(path.format(output), query_string={"offset": 2})
    assert (last.headers["X-Incomplete"], last.headers["X-Last-Line"]) == ("false", "3")
    assert [each["custom_id"] for each in api.content(output, offset=2)] == ["b"]
    assert [each["custom_id"] for each in api.content(output)] == ["c", "a", "b"]
    assert api.content(output, offset=7) == []


def test_the_size_of_a_result_file_is_that_of_its_content(api: OpenAi, hive: Hive) -> None:
    batch = api.made(line("a"), line("b"))
    hive.answer_all("Grüße ☃")
    output = api.batch(batch["id"])["output_file_id"]
    file = body_of(api.get(f"/v1/files/{output}"))
    assert file["bytes"] == len(api.get(f"/v1/files/{output}/content").data) > 0
    assert (file["purpose"], file["status"]) == ("batch_output", "processed")


def test_results_expire_when_the_batch_says_so(api: OpenAi, hive: Hive, clock: FrozenDateTimeFactory) -> None:
    batch = api.made(line("a"), output_expires_after={"anchor": "created_at", "seconds": 3600})
    clock.tick(5000)
    hive.answer_all("hi")
    output = api.batch(batch["id"])["output_file_id"]
    file = body_of(api.get(f"/v1/files/{output}"))
    assert file["expires_at"] == file["created_at"] + 5000 + 3600
    assert body_of(api.get("/v1/files"))["data"][0]["expires_at"] == file["expires_at"]
    clock.tick(3601)
    assert api.get(f"/v1/files/{output}").status_code == 404
    assert api.batch(batch["id"])["output_file_id"] is None
    assert len(body_of(api.get("/v1/files"))["data"]) == 1


def test_a_result_that_comes_late_is_the_last_line(api: OpenAi, hive: Hive) -> None:
    batch = api.made(line("a"), line("b"))
    paths = hive.take()
    hive.call_back(paths[1], answer("2"))
    api.post(f"/v1/batches/{batch['id']}/cancel")
    assert body_of(api.post(f"/api/batches/{batch['id']}/retry"))["queued"] == 1
    hive.answer_all("1")
    ended = api.batch(batch["id"])
    assert (ended["status"], ended["error_file_id"]) == ("completed", None)
    assert [each["custom_id"] for each in api.content(ended["output_file_id"])] == ["b", "a"]


def test_a_file_of_results_has_pages_and_no_line_is_lost_between_them(api: OpenAi, hive: Hive) -> None:
    names = [f"n{number}" for number in range(260)]
    batch = api.made(*map(line, names))
    while paths := hive.take(100):
        for path in paths:
            assert hive.call_back(path, answer("hi")).status_code == 200
    output = api.content(api.batch(batch["id"])["output_file_id"])
    assert sorted(each["custom_id"] for each in output) == sorted(names)
