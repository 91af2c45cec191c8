"""Batches in OpenAI's words for providers that chat: the model chooses whom they go to, and answers come back whole."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app import create_app
from app.runtime import Runtime
from app.sandbox import answer_for
from app.services import keys
from tests.chats import LLAMA, assert_sound, chatting, drain
from tests.integration.conformance import checked_client
from tests.integration.openai_client import OpenAi, line
from tests.integration.rest import body_of


@pytest.fixture
def chats(database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with chatting(database_url, tmp_path) as runtime:
        yield runtime


@pytest.fixture
def api(chats: Runtime) -> OpenAi:
    return OpenAi(checked_client(create_app(chats)), keys.create(chats, "alice", "tests").secret)


def provider_of(api: OpenAi, batch: dict[str, Any]) -> str:
    return str(body_of(api.get(f"/api/batches/{batch['id']}"))["provider"])


def options_of(api: OpenAi, batch: dict[str, Any]) -> list[dict[str, Any]]:
    """What is kept of each job beside its prompt."""
    jobs = body_of(api.get(f"/api/batches/{batch['id']}/jobs"))["items"]
    return [body_of(api.get(f"/api/jobs/{job['id']}"))["options"] for job in jobs]


def faults(batch: dict[str, Any]) -> list[tuple[str, int | None, str | None]]:
    assert batch["status"] == "failed"
    return [(fault["code"], fault["line"], fault["param"]) for fault in batch["errors"]["data"]]


@pytest.mark.parametrize(("model", "provider"), [(LLAMA, "hive_v3"), ("own/model", "local")])
def test_a_batch_is_answered_by_the_provider_of_its_model(
    chats: Runtime, api: OpenAi, model: str, provider: str
) -> None:
    texts = [f"Name river {number}." for number in range(5)]
    batch = api.made(*(line(str(number), text, model=model) for number, text in enumerate(texts)))
    assert provider_of(api, batch) == provider
    drain(chats, provider)
    ended = api.batch(batch["id"])
    assert (ended["status"], ended["model"], ended["error_file_id"]) == ("completed", model, None)
    output = {each["custom_id"]: each["response"]["body"] for each in api.content(ended["output_file_id"])}
    said = {custom_id: body["choices"][0]["message"]["content"] for custom_id, body in output.items()}
    assert said == {str(number): answer_for(text, None) for number, text in enumerate(texts)}
    assert {body["model"] for body in output.values()} == {model}
    used = [body["usage"] for body in output.values()]
    assert all(usage["completion_tokens"] > 0 for usage in used)
    assert ended["usage"]["output_tokens"] == sum(usage["completion_tokens"] for usage in used)
    assert_sound(chats)


def test_null_content_and_why_it_ended_come_back_as_they_were(chats: Runtime, api: OpenAi) -> None:
    batch = api.made(line("a", "x [[sandbox null_content]]", model=LLAMA))
    drain(chats)
    (found,) = api.content(api.batch(batch["id"])["output_file_id"])
    (choice,) = found["response"]["body"]["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (None, "length")


def test_what_v2_has_no_words_for_is_sent_to_a_provider_that_chats(api: OpenAi) -> None:
    more: dict[str, Any] = {"tools": [{"type": "function"}], "response_format": {"type": "json_object"}}
    wild = [
        line("tools", **more),
        line("hot", temperature=1.5),
        line("assistant", messages=[{"role": "assistant", "content": "So"}]),
        line("empty", ""),
    ]
    for model, failed in (("own/model", 0), ("hivebatch/hive_v2", 4)):
        for each in wild:
            each["body"]["model"] = model
        batch = api.made(line("good", model=model), *wild)
        assert batch["request_counts"] == {"total": 5, "completed": 0, "failed": failed}


def test_a_longer_answer_than_the_provider_gives_is_cut_to_its_longest(api: OpenAi) -> None:
    asked = [line("a", max_tokens=99_999), line("b", max_completion_tokens=99_999), line("c", max_tokens=3000)]
    for model, kept in (("own/model", [4096, 4096, 3000]), (LLAMA, [2048, 2048, 2048])):
        for each in asked:
            each["body"]["model"] = model
        found = options_of(api, api.made(*asked))
        assert [options["max_tokens"] for options in found] == kept
        assert found[1]["chat"] == {"max_completion_tokens": kept[1]}


# --- which provider ---


def test_a_model_that_nobody_has_is_not_found(api: OpenAi) -> None:
    batch = api.made(line("a", model="gpt-none"), line("b", model=LLAMA), line("c", model="hive_v2"))
    assert faults(batch) == [("model_not_found", 1, "body.model"), ("model_not_found", 3, "body.model")]
    assert "gpt-none" in batch["errors"]["data"][0]["message"]


def test_models_of_one_provider_may_be_mixed_but_not_those_of_two(api: OpenAi) -> None:
    mixed = [line("a", model="meta-llama/llama-3.2-3b-instruct"), line("b", model=LLAMA)]
    assert provider_of(api, api.made(*mixed)) == "hive_v3"
    assert faults(api.made(*mixed, line("c", model="own/model"))) == [("model_mismatch", 3, "body.model")]


def test_the_first_line_that_can_be_read_decides(api: OpenAi) -> None:
    batch = api.made(b"{", line("a", model="gpt-none"), line("b", model="own/model"), line("c", model="own/model"))
    assert faults(batch) == [("invalid_json_line", 1, None), ("model_not_found", 2, "body.model")]


def test_a_line_that_can_not_be_answered_decides_too(api: OpenAi) -> None:
    batch = api.made(line("a", model="own/model", n=2), line("b", model="own/model"))
    assert (provider_of(api, batch), batch["request_counts"]["failed"]) == ("local", 1)


def test_the_models_of_every_provider_are_listed_each_with_whom_it_goes_to(api: OpenAi) -> None:
    models = {model["id"]: model["owned_by"] for model in body_of(api.get("/v1/models"))["data"]}
    assert models["hivebatch/hive_v2"] == "hivebatch"
    assert (models[LLAMA], models["meta-llama/llama-3.1-8b-instruct"], models["own/model"]) == (
        "hive_v3",
        "hive_v3",
        "local",
    )
    found = body_of(api.get(f"/v1/models/{LLAMA.replace('/', '%2F')}"))
    assert (found["object"], found["id"]) == ("model", LLAMA)
    assert api.get("/v1/models/own/none").status_code == 404
