"""Choosing: by name, by model, by the first job, else the default; and nobody gets what only others can do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.config import Settings
from app.errors import InvalidInput, Problem
from app.services.choosing import Choice, provider_for
from app.services.views import NewJob
from tests.conftest import make_settings

V3 = '[hive_v3]\nkind = "hive_v3"\nkeys = ["k"]\nmodels = ["shared", "of/v3"]\n'
OWN = '[own]\nkind = "openai_chat"\nbase_url = "http://127.0.0.1:9/v1"\nmodels = ["own/one", "shared"]\n'

MakeSettings = Callable[..., Settings]


@pytest.fixture
def settings_with(tmp_path: Path) -> MakeSettings:
    """Makes settings with a file of these providers beside V2."""

    def make(text: str = V3 + OWN, **others: object) -> Settings:
        path = tmp_path / "providers.toml"
        path.write_text(text)
        return make_settings(providers=path, **others)

    return make


@pytest.mark.parametrize(
    ("name", "model", "chosen"),
    [
        (None, None, "hive_v2"),
        ("own", None, "own"),
        ("own", "shared", "own"),
        (None, "shared", "hive_v3"),
        (None, "own/one", "own"),
        (None, "hivebatch/hive_v2", "hive_v2"),
    ],
)
def test_a_name_chooses_then_a_model_then_the_default(
    settings_with: MakeSettings, name: str | None, model: str | None, chosen: str
) -> None:
    assert provider_for(settings_with(), name, model).name == chosen


def test_v2_without_a_key_is_not_chosen_where_others_are(settings_with: MakeSettings) -> None:
    keyless = settings_with(hive_key=())
    assert provider_for(keyless, None, None).name == "hive_v3"
    assert "hivebatch/hive_v2" not in keyless.served
    with pytest.raises(InvalidInput, match="Unknown model; known: of/v3, own/one, shared"):
        provider_for(keyless, None, "hivebatch/hive_v2")
    assert set(make_settings(hive_key=()).served) == {"hivebatch/hive_v2"}


def test_the_only_provider_in_use_takes_every_model(settings_with: MakeSettings) -> None:
    for alone, name in ((settings_with(""), "hive_v2"), (settings_with(V3, hive_key=()), "hive_v3")):
        choice = Choice(alone, None, {})
        assert list(choice.problems_of(NewJob("a", "a", {"model": "gpt-4o"}))) == []
        assert list(choice.problems_of(NewJob("b", "b", {"model": "another"}))) == []
        assert choice.provider.name == name
        assert Choice(alone, name, {"model": "gpt-4o"}).provider.name == name
    with pytest.raises(InvalidInput, match="Unknown model"):
        Choice(settings_with(V3), None, {"model": "gpt-4o"})


def test_a_v2_project_may_be_called_as_its_submitters_call_it(settings_with: MakeSettings) -> None:
    named = settings_with('[second]\nkind = "hive_v2"\nkeys = ["k"]\nmodels = ["acme/one"]\n')
    assert provider_for(named, None, "acme/one").name == "second"


def test_the_model_of_the_first_job_decides_for_all(settings_with: MakeSettings) -> None:
    choice = Choice(settings_with(), None, {})
    assert choice.provider.name == "hive_v2"
    assert list(choice.problems_of(NewJob("a", "a", {"model": "own/one"}))) == []
    assert choice.provider.name == "own"
    (problem,) = choice.problems_of(NewJob("b", "b", {"model": "of/v3"}, 2, "/jobs/1"))
    assert (problem.line, problem.pointer, problem.value) == (2, "/jobs/1/options/model", "of/v3")


def test_the_batch_decides_before_its_jobs(settings_with: MakeSettings) -> None:
    for name, options in (("own", {}), (None, {"model": "own/one"})):
        choice = Choice(settings_with(), name, options)
        assert choice.provider.name == "own"
        assert [problem.value for problem in choice.problems_of(NewJob("a", "a", {"model": "of/v3"}))] == ["of/v3"]


def test_a_job_with_a_model_that_nobody_has_decides_nothing(settings_with: MakeSettings) -> None:
    choice = Choice(settings_with(), None, {})
    (problem,) = choice.problems_of(NewJob("a", "a", {"model": "none"}, None, "/jobs/0"))
    assert (problem.pointer, problem.code) == ("/jobs/0/options/model", "model_not_found")
    assert list(choice.problems_of(NewJob("b", "b", {"model": "own/one"}))) == []
    assert choice.provider.name == "own"


def test_a_fault_that_is_known_is_not_found_again(settings_with: MakeSettings) -> None:
    choice = Choice(settings_with(), None, {})
    tools = NewJob("a", "a", {"model": "hivebatch/hive_v2", "chat": {"tools": [{}]}})
    assert [problem.pointer for problem in choice.problems_of(tools)] == ["/tools"]
    assert list(choice.problems_of(tools._replace(fault=Problem("No tools.")))) == []


def test_a_fallback_has_to_be_able_to_do_each_job_with_a_model_of_its_own(settings_with: MakeSettings) -> None:
    choice = Choice(settings_with(), "own", {}, fallback="hive_v2")
    assert list(choice.problems_of(NewJob("a", "a", {"model": "own/one"}))) == []
    tools = NewJob("b", "b", {"model": "own/one", "chat": {"tools": [{}]}}, 2, "/body")
    assert [(problem.pointer, problem.line) for problem in choice.problems_of(tools)] == [("/body/tools", 2)]
    assert list(Choice(settings_with(), "own", {}).problems_of(tools)) == []


def test_a_fallback_has_to_exist(settings_with: MakeSettings) -> None:
    with pytest.raises(InvalidInput, match="Unknown provider; known: hive_v2, hive_v3, own"):
        Choice(settings_with(), "own", {}, fallback="nobody")
