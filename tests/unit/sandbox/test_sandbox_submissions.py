"""What the emulated vendor accepts and refuses."""

import json
from typing import Any

import pytest

from app.sandbox.config import SandboxConfig
from app.sandbox.refusals import Refusal
from app.sandbox.submissions import Submission, hash_of, read_submission

CONFIG = SandboxConfig()
VALID: dict[str, Any] = {"text_data": "hello", "callback_url": "http://127.0.0.1:5000/cb/x"}


def read(config: SandboxConfig = CONFIG, *, is_sync: bool = False, **fields: Any) -> Submission:
    return read_submission(VALID | fields, config, is_sync)


def refusal(**fields: Any) -> str:
    with pytest.raises(Refusal) as caught:
        read(**fields)
    assert caught.value.status == 400
    return caught.value.message


def test_a_full_submit_is_read() -> None:
    options = {
        "system_prompt": "Be brief",
        "max_tokens": 2048,
        "temperature": 0,
        "top_p": 1.0,
        "prompt_history": [{"role": "user", "content": "hi"}, {"role": "model", "content": "hello"}],
    }
    assert read(metadata="job-17", options=options) == Submission("hello", VALID["callback_url"], "job-17", "Be brief")


def test_options_and_history_may_be_json_strings() -> None:
    history = json.dumps([{"role": "user", "content": "hi"}])
    options = json.dumps({"system_prompt": "Be brief", "prompt_history": history})
    assert read(options=options).system_prompt == "Be brief"


def test_roles_rename_the_two_roles_of_the_history() -> None:
    options: dict[str, Any] = {"prompt_history": [{"role": "bot", "content": "hi"}], "roles": {"model": "bot"}}
    assert read(options=options).prompt == "hello"
    assert "must be one of model, user" in refusal(options=options | {"roles": None})


@pytest.mark.parametrize(
    "url", ["http://localhost/cb", "http://127.1.2.3/cb", "http://[::1]:80/cb", "https://localhost/"]
)
def test_a_callback_to_this_machine_is_allowed(url: str) -> None:
    assert read(callback_url=url).callback_url == url


@pytest.mark.parametrize("url", ["http://example.test/cb", "http://10.0.0.1/cb", "http://localhost.example.test/"])
def test_a_callback_elsewhere_needs_leave(url: str) -> None:
    assert "doesn't allow remote callbacks" in refusal(callback_url=url)
    assert read(SandboxConfig(allow_remote_callbacks=True), callback_url=url).callback_url == url


@pytest.mark.parametrize("url", ["ftp://localhost/", "/cb", "http://", "http://[::1/", "http://localhost:99999/"])
def test_a_callback_url_must_be_a_web_address(url: str) -> None:
    assert "http or https" in refusal(callback_url=url)


@pytest.mark.parametrize("url", [None, "", 7])
def test_a_callback_url_is_required(url: object) -> None:
    assert "callback_url is required" in refusal(callback_url=url)


def test_a_sync_task_has_no_callback_url() -> None:
    assert read(is_sync=True).callback_url is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text_data": None}, "got none"),
        ({"url": "http://x.test/a.png"}, "got text_data, url"),
        ({"media": "file"}, "got text_data, media"),
        ({"text_data": None, "url": "http://x.test/a.png"}, "text_data must be"),
        ({"text_data": 7}, "text_data must be"),
        ({"text_data": " \n"}, "text_data must be"),
        ({"metadata": {"a": 1}}, "metadata must be"),
        ({"options": []}, "options must be an object"),
        ({"options": "{"}, "options is not valid JSON"),
        ({"options": "[" * 100_000}, "options is not valid JSON"),
        ({"options": {"system_prompt": 1}}, "options.system_prompt"),
        ({"options": {"roles": {"user": 1}}}, "options.roles"),
        ({"options": {"prompt_history": {}}}, "options.prompt_history must be a list"),
        ({"options": {"prompt_history": ["hi"]}}, r"prompt_history[0] must have"),
        ({"options": {"prompt_history": [{"role": "user"}]}}, r"prompt_history[0] must have"),
        ({"options": {"prompt_history": [{"role": "assistant", "content": "x"}]}}, r"prompt_history[0].role"),
    ],
)
def test_a_bad_field_is_named(fields: dict[str, Any], message: str) -> None:
    assert message in refusal(**fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", 2049),
        ("max_tokens", 1.5),
        ("max_tokens", "64"),
        ("max_tokens", True),
        ("temperature", -0.1),
        ("temperature", 1.1),
        ("temperature", "0"),
        ("top_p", float("nan")),
        ("top_p", float("inf")),
        ("top_p", True),
    ],
)
def test_an_option_out_of_range_is_named(name: str, value: object) -> None:
    assert f"options.{name} must be" in refusal(options={name: value})


def test_the_upper_end_of_max_tokens_is_a_setting() -> None:
    assert read(SandboxConfig(max_tokens=4096), options={"max_tokens": 4096}).prompt == "hello"


def test_a_lone_surrogate_is_hashed_like_any_text() -> None:
    assert len(hash_of("\ud800")) == 64
