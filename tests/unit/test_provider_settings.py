"""The file of providers: what it may say, what it inherits, and every mistake in it told without its secrets."""

import os
from pathlib import Path

import pytest

from app.config import Settings, load
from app.errors import UnsafeConfiguration
from app.provider_settings import HIVE_MODELS, ProviderSettings

V3 = '[hive_v3]\nkind = "hive_v3"\nkeys = ["k1", "k2"]\n'
LOCAL = '[local]\nkind = "openai_chat"\nbase_url = "http://127.0.0.1:9/v1/"\nmodels = ["m"]\n'


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("HIVEBATCH_"):
            monkeypatch.delenv(name)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "providers.toml"


def settings(path: Path, text: str, **others: object) -> Settings:
    path.write_text(text)
    return load(providers=path, **others)


def provider(path: Path, text: str, name: str = "local", **others: object) -> ProviderSettings:
    return settings(path, text, **others).every_provider[name]


def refusal(path: Path, text: str, **others: object) -> str:
    with pytest.raises(UnsafeConfiguration) as caught:
        settings(path, text, **others)
    return str(caught.value)


def test_v3_needs_a_key_and_knows_the_rest(path: Path) -> None:
    v3 = provider(path, V3, "hive_v3")
    assert (v3.base_url, v3.models, v3.revealed_keys) == ("https://api.thehive.ai/api/v3", HIVE_MODELS, ("k1", "k2"))
    assert (v3.max_output_tokens, v3.calls_back, v3.stream) == (2048, False, False)
    assert (v3.submit_timeout_seconds, v3.lease_seconds, v3.unknown_grace_seconds) == (120, 135, 30)
    assert settings(path, V3).longest_lease_seconds == 135
    assert load().longest_lease_seconds == 30


def test_what_a_provider_does_not_say_it_has_of_the_settings(path: Path) -> None:
    local = provider(path, LOCAL, rate_per_second=3.0, max_in_flight=7, connections=2)
    assert (local.rate_per_second, local.max_in_flight, local.connections) == (3.0, 7, 2)
    assert local.base_url == "http://127.0.0.1:9/v1"
    own = provider(path, LOCAL + "rate_per_second = 0.5\nmax_in_flight = 9\nsubmit_timeout_seconds = 4", connections=2)
    assert (own.rate_per_second, own.max_in_flight, own.connections) == (0.5, 9, 2)
    assert own.lease_seconds == 6


def test_a_callback_time_out_in_a_table_is_fixed_and_another_is_learned(path: Path) -> None:
    second = '[second]\nkind = "hive_v2"\nkeys = ["k"]\n'
    told = settings(path, second + "callback_timeout_seconds = 50")
    assert (
        told.every_provider["second"].callback_timeout_seconds,
        told.timings["second"].callback_timeout_seconds,
    ) == (
        50,
        50,
    )
    assert told.every_provider["hive_v2"].callback_timeout_seconds is None
    assert told.timings["hive_v2"].callback_timeout_seconds == 600
    for_all = settings(path, second, callback_timeout_seconds=70)
    assert [each.callback_timeout_seconds for each in for_all.every_provider.values()] == [70, 70]


def test_the_simple_settings_are_a_provider_too(path: Path) -> None:
    told = settings(path, V3, hive_key="k", submit_timeout_seconds=10, lease_seconds=30)
    assert list(told.every_provider) == ["hive_v2", "hive_v3"]
    assert told.timings["hive_v2"] == told.timing
    assert told.timings["hive_v3"].lease_seconds == 135


@pytest.mark.parametrize(("key", "default"), [("k", "hive_v2"), ("", "hive_v3")])
def test_v2_is_the_default_if_it_has_a_key(path: Path, key: str, default: str) -> None:
    assert settings(path, V3, hive_key=key).default_provider == default


def test_keys_may_stand_in_a_file_beside_it(path: Path) -> None:
    path.with_name("keys").write_text("one\ntwo\n")
    assert provider(path, LOCAL + 'key_file = "keys"').revealed_keys == ("one", "two")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1", "x: must be a table"),
        ("[A]\n", "[A]: a name has"),
        ("[a", "is not valid TOML"),
        ('[a]\nbase_url = "https://a.example"', "[a] kind: Field required"),
        ('[a]\nkind = "other"\nbase_url = "https://a.example"', "[a] kind: Input should be"),
        (LOCAL + "speed = 3", "[local] speed: Extra inputs are not permitted"),
        (LOCAL + "rate_per_second = 0", "[local] rate_per_second: Input should be greater"),
        (LOCAL + 'keys = ["a", "b", "c"]', "[local] keys: "),
        (LOCAL + 'key_file = "none"', "[local] key_file: "),
        (LOCAL + 'keys = ["a"]\nkey_file = "k"', "[local] key_file: the keys stand in keys"),
        (LOCAL.replace('models = ["m"]', ""), "[local] models: must name at least one"),
        (LOCAL.replace("http://127.0.0.1:9", "http://api.example.com"), "[local] base_url: must be https"),
        ('[v3]\nkind = "hive_v3"', "[v3] keys: must hold one"),
        ('[v2]\nkind = "hive_v2"\nkeys = ["k"]\ntask_path = "x"', "[v2] task_path: must begin with /"),
    ],
)
def test_a_mistake_is_told_with_its_place(path: Path, text: str, says: str) -> None:
    told = refusal(path, text)
    assert told.startswith("HIVEBATCH_PROVIDERS: ")
    assert says in told


def test_all_mistakes_are_told_at_once_and_no_secret(path: Path) -> None:
    told = refusal(path, V3.replace('"k2"', '"canary-1", "canary-2"') + LOCAL + 'keys = "canary-3"\nstream = "so"')
    assert "[hive_v3] keys" in told
    assert "[local] keys" in told
    assert "[local] stream" in told
    assert "canary" not in told


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(UnsafeConfiguration, match="can't be read"):
        load(providers=path)


def test_v2_is_configured_in_one_place_only(path: Path) -> None:
    again = '[hive_v2]\nkind = "hive_v2"\nkeys = ["k"]\n'
    assert "HIVEBATCH_HIVE_KEY configures too" in refusal(path, again, hive_key="k")
    assert provider(path, again, "hive_v2").revealed_keys == ("k",)


def test_only_a_provider_that_calls_back_needs_a_public_url(path: Path) -> None:
    told = settings(path, V3, hive_key="k", public_url="http://10.0.0.1")
    assert told.refusal_to_submit("hive_v2") is not None
    assert told.refusal_to_submit("hive_v3") is None


def test_no_secret_is_shown(path: Path) -> None:
    assert "k1" not in repr(settings(path, V3).every_provider)
