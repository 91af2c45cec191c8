"""V3: chat completions, whole and streamed, and their errors."""

import json
from typing import Any

import pytest
import requests

from app.sandbox import answer_for
from app.sandbox.config import MODELS
from tests.unit.sandbox.served import Client, Serve

MODEL = "meta-llama/llama-3.2-1b-instruct"


def complete(client: Client, prompt: object = "List three rivers", **fields: Any) -> requests.Response:
    body = {"model": MODEL, "messages": [{"role": "user", "content": prompt}]} | fields
    how = {"headers": fields.pop("headers", {"Authorization": "Bearer secret"})}
    return client.call("POST", "/api/v3/chat/completions", json=body, **how)


def chunks(response: requests.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_model_answers_with_a_completion(client: Client, model: str) -> None:
    body = complete(client, model=model).json()
    assert (body["object"], body["model"]) == ("chat.completion", model)
    [choice] = body["choices"]
    assert choice["message"] == {"role": "assistant", "content": answer_for("List three rivers", None)}
    assert choice["finish_reason"] == "stop"
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]


def test_a_chat_is_billed_like_a_sync_task(client: Client) -> None:
    complete(client)
    [entry] = client.ledger()["entries"]
    assert (entry["outcome"], entry["charge"]) == ("answered", "0.00005")


def test_a_stream_says_the_same_word_by_word(client: Client) -> None:
    response = complete(client, stream=True)
    assert response.headers["Content-Type"].startswith("text/event-stream")
    found = chunks(response)
    text = "".join(choice["delta"].get("content", "") for chunk in found for choice in chunk["choices"])
    assert text == answer_for("List three rivers", None)
    assert found[-2]["choices"][0]["finish_reason"] == "stop"
    assert found[-1]["usage"]["total_tokens"] > 0


def test_a_system_message_is_heard(client: Client) -> None:
    messages = [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "hi"}]
    answer = complete(client, messages=messages).json()["choices"][0]["message"]["content"]
    assert answer == answer_for("hi", "Be brief")


def test_content_may_be_null(client: Client) -> None:
    [choice] = complete(client, "x [[sandbox null_content]]").json()["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (None, "length")


def test_who_asks_for_no_stream_where_there_are_only_streams_is_refused(serve: Serve) -> None:
    client = serve(stream_only=True)
    assert complete(client).status_code == 400
    assert complete(client, stream=True).status_code == 200
    assert client.ledger()["totals"]["accepted"] == 1


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("object", {"error": {"message": "Refused", "type": "invalid_request_error", "param": None, "code": "402"}}),
        ("code", {"return_code": 402, "message": "Refused"}),
        ("message", {"message": "Refused"}),
    ],
)
def test_an_error_has_the_form_that_is_asked_for(client: Client, form: str, expected: dict[str, Any]) -> None:
    response = complete(client, f"x [[sandbox status=402 error={form}]]")
    assert (response.status_code, response.json()) == (402, expected)


def test_an_error_may_be_html_and_ask_for_patience(client: Client) -> None:
    response = complete(client, "x [[sandbox status=429 retry_after=7 html]]")
    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")
    assert response.text.startswith("<html>")


def test_a_failure_is_an_error_in_a_200(client: Client) -> None:
    assert complete(client, "x [[sandbox fail=5]]").json()["error"]["code"] == "5"


def test_a_malformed_answer_is_cut(client: Client) -> None:
    assert not complete(client, "x [[sandbox malformed]]").text.endswith("}")
    assert "[DONE]" not in complete(client, "x [[sandbox malformed]]", stream=True).text


@pytest.mark.parametrize(
    ("shape", "place"),
    [("B", "['message']['content']"), ("C", "['text']"), ("D", "['message']['content'][0]['text']")],
)
def test_the_text_is_where_the_shape_says(client: Client, shape: str, place: str) -> None:
    body = complete(client, f"x [[sandbox shape={shape}]]").json()
    found: Any = body["choices"][0]
    for key in place.strip("[]").replace("'", "").split("]["):
        found = found[int(key) if key.isdigit() else key]
    assert found.startswith("[")
    assert ("created" in body) is (shape != "B")


@pytest.mark.parametrize(
    ("status", "says", "fields"),
    [
        (404, "does not exist", {"model": "meta-llama/llama-9"}),
        (400, "model is required", {"model": None}),
        (400, "max_tokens must be an integer from 1 to 2048", {"max_tokens": 2049}),
        (400, "max_tokens must be an integer from 1 to 2048", {"max_tokens": 0}),
        (400, "messages must be a list", {"messages": []}),
        (400, "messages[0].role must be", {"messages": [{"role": "model", "content": "x"}]}),
        (400, "messages[0].content must be", {"messages": [{"role": "user", "content": None}]}),
        (400, "messages[0].content[0] must", {"messages": [{"role": "user", "content": ["x"]}]}),
        (400, "a user's", {"messages": [{"role": "assistant", "content": "x"}]}),
        (400, "longer than the model's context", {"messages": [{"role": "user", "content": "x" * 64_001}]}),
    ],
)
def test_what_the_vendor_would_not_take_is_refused(
    client: Client, status: int, says: str, fields: dict[str, Any]
) -> None:
    response = complete(client, **fields)
    assert response.status_code == status
    assert says in response.json()["error"]["message"]
    assert [refused["status"] for refused in client.ledger()["refused"]] == [status]


def test_parts_of_text_are_one_prompt_and_images_are_looked_past(client: Client) -> None:
    parts = [
        {"type": "text", "text": "what is "},
        {"type": "image_url", "image_url": {}},
        {"type": "text", "text": "it?"},
    ]
    answer = complete(client, parts).json()["choices"][0]["message"]["content"]
    assert answer == answer_for("what is it?", None)


def test_the_key_comes_as_a_bearer(client: Client) -> None:
    assert complete(client, headers={"Authorization": "Token secret"}).status_code == 401
    assert client.call("POST", "/sandbox/keys", json={"key": "secret", "status": 405}).status_code == 200
    assert complete(client).status_code == 405
