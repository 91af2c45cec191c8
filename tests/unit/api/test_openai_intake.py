"""The lines of an input file: each a job for the provider of the first one's model, or what is wrong with it there."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from app.config import Settings
from app.openai.intake import read_lines
from app.services.views import BadLine, NewJob
from tests.conftest import make_settings
from tests.integration.openai_client import as_file, line

OWN = """
[own]
kind = "openai_chat"
base_url = "http://127.0.0.1:9/v1"
models = ["own/one", "own/two"]
max_output_tokens = 4096
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "providers.toml"
    path.write_text(OWN)
    return make_settings(providers=path, max_text_chars=100)


def read(settings: Settings, *lines: dict[str, Any]) -> list[NewJob | BadLine]:
    return list(read_lines(BytesIO(as_file(lines)), settings))


def fault(settings: Settings, **body: Any) -> str | None:
    """Why the job of this body can't be submitted, to the provider of its model."""
    (job,) = read(settings, line("a", **body))
    assert isinstance(job, NewJob)
    return None if job.fault is None else job.fault.message


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [{"type": "function"}]},
        {"response_format": {"type": "json_object"}},
        {"temperature": 1.5},
        {"messages": [{"role": "assistant", "content": "So"}]},
        {"messages": [{"role": "user", "content": ""}]},
    ],
)
def test_only_v2_is_known_to_refuse_this(settings: Settings, body: dict[str, Any]) -> None:
    assert fault(settings, model="own/one", **body) is None
    assert fault(settings, model="hivebatch/hive_v2", **body)


@pytest.mark.parametrize("model", ["own/one", "hivebatch/hive_v2"])
@pytest.mark.parametrize("body", [{"n": 2}, {"max_tokens": 0}, {"messages": [{"role": "user", "content": "x" * 101}]}])
def test_every_provider_is_spared_this(settings: Settings, model: str, body: dict[str, Any]) -> None:
    assert fault(settings, model=model, **body)


@pytest.mark.parametrize(("model", "longest"), [("own/one", 4096), ("hivebatch/hive_v2", 2048)])
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_longer_answer_than_the_provider_gives_is_cut_to_its_longest(
    settings: Settings, model: str, longest: int, name: str
) -> None:
    (job,) = read(settings, line("a", model=model, **{name: 99_999}))
    assert isinstance(job, NewJob)
    told: Any = {**job.options, **job.options.get("chat", {})}  # type: ignore[dict-item]  # as it was kept
    assert (told["max_tokens"], told[name], job.fault) == (longest, longest, None)


@pytest.mark.parametrize("text", ["", OWN])
def test_the_only_provider_takes_lines_of_every_model(tmp_path: Path, text: str) -> None:
    path = tmp_path / "alone.toml"
    path.write_text(text)
    alone = make_settings(providers=path, hive_key=() if text else "key")
    found = read(alone, line("a", model="gpt-4o"), line("b", model="another"))
    assert [isinstance(each, NewJob) and each.fault is None for each in found] == [True, True]


def test_a_batch_goes_to_one_provider_and_may_ask_for_any_of_its_models(settings: Settings) -> None:
    models = ["none", "own/two", "own/one", "hivebatch/hive_v2", "none"]
    read_back = read(settings, *(line(str(number), model=model) for number, model in enumerate(models)))
    codes = [each.problems[0].code if isinstance(each, BadLine) else None for each in read_back]
    assert codes == ["model_not_found", None, None, "model_mismatch", "model_not_found"]
