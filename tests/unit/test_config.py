"""Settings: each default, each name in the environment, secrets from files, and what is refused."""

import os
import traceback
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.config import SECRETS, Settings, load, reveal
from app.errors import UnsafeConfiguration
from app.provider_settings import is_loopback

KEY = "k" * 32
PRODUCTION: dict[str, str] = {
    "mode": "production",
    "database_url": "postgresql://db/hivebatch",
    "broker_url": "redis://redis:6379/0",
    "secret_key": KEY,
    "admin_password": "a-password",
    "public_url": "https://batches.example.com",
    "hive_key": "hive-key",
}

# setting: its default, a value as the environment gives it, and what becomes of that
VALUES: dict[str, tuple[object, str, object]] = {
    "mode": ("local", "local", "local"),
    "database_url": (None, "sqlite:///x.db", "sqlite:///x.db"),
    "broker_url": ("memory://localhost/", "redis://redis:6379/1", "redis://redis:6379/1"),
    "data_dir": (Path("var"), "elsewhere", Path("elsewhere")),
    "host": ("127.0.0.1", "::1", "::1"),
    "port": (8000, "0", 0),
    "web_threads": (64, "4", 4),
    "call_timeout_seconds": (60.0, "30", 30.0),
    "log_level": ("INFO", "DEBUG", "DEBUG"),
    "secret_key": ((), " new , old,", (SecretStr("new"), SecretStr("old"))),
    "admin_password": (None, "a, b", SecretStr("a, b")),
    "viewer_password": (None, "a look", SecretStr("a look")),
    "dev_key": (None, "hb_dev", SecretStr("hb_dev")),
    "public_url": (None, "https://me.example.com/base/", "https://me.example.com/base"),
    "echo": ("on", "off", "off"),
    "hive_url": ("https://api.thehive.ai", "http://127.0.0.1:9/", "http://127.0.0.1:9"),
    "hive_key": ((), "one,two", (SecretStr("one"), SecretStr("two"))),
    "hive_task_path": (None, "/api/v2/task?task_id={task_id}", "/api/v2/task?task_id={task_id}"),
    "hive_permanent_codes": ((), "7, 8", ("7", "8")),
    "unauthenticated_callbacks": ("refuse", "quarantine", "quarantine"),
    "providers": (None, "/dev/null", Path("/dev/null")),
    "callback_timeout_seconds": (600.0, "0.25", 0.25),
    "callback_timeout_factor": (3.0, "1.5", 1.5),
    "callback_timeout_floor_seconds": (60.0, "0.5", 0.5),
    "callback_timeout_ceiling_seconds": (3600.0, "7200", 7200.0),
    "callback_timeout_samples": (100, "10", 10),
    "submit_timeout_seconds": (15.0, "2.5", 2.5),
    "unknown_grace_seconds": (300.0, "0.5", 0.5),
    "lease_seconds": (30.0, "60.5", 60.5),
    "backoff_base_seconds": (2.0, "0.01", 0.01),
    "backoff_max_seconds": (300.0, "1", 1.0),
    "sweep_seconds": (5.0, "0.1", 0.1),
    "max_attempts": (4, "1", 1),
    "batch_expires_seconds": (604_800.0, "3600", 3600.0),
    "retention_days": (None, "30", 30),
    "max_in_flight": (100, "7", 7),
    "rate_per_second": (None, "2.5", 2.5),
    "connections": (16, "256", 256),
    "breaker_faults": (10, "3", 3),
    "sender": ("requests", "pycurl", "pycurl"),
    "max_jobs": (50_000, "10", 10),
    "max_body_bytes": (200_000_000, "1000", 1000),
    "max_json_bytes": (32_000_000, "1000", 1000),
    "max_line_bytes": (1_000_000, "100", 100),
    "max_text_chars": (64_000, "10", 10),
    "max_output_tokens": (2048, "1", 1),
    "max_callback_bytes": (4_000_000, "100", 100),
    "webhook_private_networks": ((), "10.1.0.0/16, fd12::/16", (ip_network("10.1.0.0/16"), ip_network("fd12::/16"))),
}


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("HIVEBATCH_"):
            monkeypatch.delenv(name)


def refusal(**settings: object) -> str:
    with pytest.raises(UnsafeConfiguration) as caught:
        load(**settings)
    return str(caught.value)


# --- each setting ---


def test_every_setting_is_tried_here_and_says_what_it_is_for() -> None:
    assert set(VALUES) == set(Settings.model_fields)
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize("name", VALUES)
def test_each_setting_has_its_default(name: str) -> None:
    assert getattr(load(), name) == VALUES[name][0]


@pytest.mark.parametrize("name", VALUES)
def test_each_setting_is_read_from_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"HIVEBATCH_{name.upper()}", VALUES[name][1])
    assert getattr(load(), name) == VALUES[name][2]


def test_an_argument_outranks_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIVEBATCH_PORT", "1")
    assert load(port=2).port == 2


def test_settings_do_not_change() -> None:
    settings = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mode", "staging"),
        ("port", "65536"),
        ("port", "-1"),
        ("port", "http"),
        ("web_threads", "0"),
        ("call_timeout_seconds", "0"),
        ("log_level", "TRACE"),
        ("public_url", "batches.example.com"),
        ("public_url", "ftp://batches.example.com"),
        ("public_url", "https://"),
        ("echo", "no"),
        ("hive_url", "//api"),
        ("hive_url", "http://["),
        ("sweep_seconds", "0"),
        ("sweep_seconds", "-1"),
        ("sweep_seconds", "nan"),
        ("sweep_seconds", "inf"),
        ("sweep_seconds", "2592001"),
        ("max_attempts", "0"),
        ("max_attempts", "1.5"),
        ("max_in_flight", "0"),
        ("rate_per_second", "0"),
        ("rate_per_second", "nan"),
        ("rate_per_second", "inf"),
        ("connections", "257"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"HIVEBATCH_{name.upper()}", text)
    assert refusal().startswith(f"HIVEBATCH_{name.upper()}: ")


# --- secrets ---


@pytest.mark.parametrize("name", SECRETS)
def test_each_secret_can_stand_in_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    path.write_text(VALUES[name][1] + "\n")
    monkeypatch.setenv(f"HIVEBATCH_{name.upper()}_FILE", str(path))
    assert getattr(load(), name) == VALUES[name][2]


def test_the_environment_outranks_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    path.write_text("from the file")
    monkeypatch.setenv("HIVEBATCH_HIVE_KEY_FILE", str(path))
    monkeypatch.setenv("HIVEBATCH_HIVE_KEY", "from the environment")
    assert load().every_provider["hive_v2"].revealed_keys == ("from the environment",)


def test_what_is_no_secret_is_not_read_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "port"
    path.write_text("1")
    monkeypatch.setenv("HIVEBATCH_PORT_FILE", str(path))
    assert load().port == 8000


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "no text"])
def test_a_secret_file_that_cannot_be_read_is_refused_by_name(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("HIVEBATCH_SECRET_KEY_FILE", str(path))
    assert "HIVEBATCH_SECRET_KEY_FILE" in refusal()


def test_several_keys_are_read_in_order() -> None:
    settings = load(secret_key="new,old", hive_key="one,two")
    assert settings.secret_keys == ("new", "old")
    assert settings.every_provider["hive_v2"].revealed_keys == ("one", "two")


def test_secrets_do_not_show_in_the_settings() -> None:
    settings = load(secret_key="canary", admin_password="canary", dev_key="canary", hive_key="canary")
    assert "canary" not in repr(settings)
    assert "canary" not in str(settings)
    assert reveal(settings.admin_password) == "canary"
    assert reveal(None) == ""


HASH = "$argon2id$v=19$m=19456,t=2,p=1$58Zs6HEKrOraXpXsmhFY7Q$nkxSekSh1eZ4kzHgPSjVUSSY7xXwktIvImQQ5q1Vze4"


@pytest.mark.parametrize("name", ["admin_password", "viewer_password"])
def test_a_password_is_one_or_a_whole_hash(name: str) -> None:
    assert reveal(getattr(load(**{name: HASH}), name)) == HASH
    assert reveal(getattr(load(**{name: "$argon"}), name)) == "$argon"
    # What a shell or a compose file leaves of it, and a hash of another kind.
    for cut in (HASH[:-1] + "$", HASH.replace("$v=19", ""), "$argon2id", HASH.replace("argon2id", "argon2i")):
        told = refusal(**{name: cut})
        assert f"HIVEBATCH_{name.upper()}: is no whole Argon2id hash" in told
        assert cut not in told


def test_the_words_of_a_refusal_hold_no_secret() -> None:
    assert "canary" not in refusal(**PRODUCTION | {"secret_key": "canary", "broker_url": "memory://canary"})


def test_the_traceback_of_a_refusal_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIVEBATCH_ADMIN_PASSWORD", "canary")
    monkeypatch.setenv("HIVEBATCH_MODE", "production")
    with pytest.raises(UnsafeConfiguration) as caught:
        load()
    assert "canary" not in "".join(traceback.format_exception(caught.value))


# --- the lease ---


@pytest.mark.parametrize(
    ("submit", "lease"), [(30, 45), (60, 75), (600, 615), (10, 15), (1, 1.5), (0.2, 0.3), (30.0, 100.0)]
)
def test_a_lease_that_outlives_the_submit_is_taken(submit: float, lease: float) -> None:
    assert load(submit_timeout_seconds=submit, lease_seconds=lease).lease_seconds == lease


@pytest.mark.parametrize(("submit", "lease"), [(30, 44.9), (60, 45), (10, 14.9), (1, 1.4), (0.2, 0.2), (45, 45)])
def test_a_lease_that_could_end_during_a_slow_submit_is_refused(submit: float, lease: float) -> None:
    assert "HIVEBATCH_LEASE_SECONDS" in refusal(submit_timeout_seconds=submit, lease_seconds=lease)


def test_the_timing_is_that_of_the_settings() -> None:
    timing = load(callback_timeout_seconds=1, unknown_grace_seconds=2, backoff_base_seconds=3).timing
    assert (timing.callback_timeout_seconds, timing.unknown_grace_seconds, timing.backoff_base_seconds) == (1, 2, 3)
    assert (timing.lease_seconds, timing.backoff_max_seconds) == (30, 300)


# --- the callback time-out ---


def test_a_time_out_that_is_set_is_fixed_even_at_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not load().is_callback_timeout_fixed
    assert load(callback_timeout_seconds=600).is_callback_timeout_fixed
    monkeypatch.setenv("HIVEBATCH_CALLBACK_TIMEOUT_SECONDS", "600")
    assert load().is_callback_timeout_fixed


def test_how_it_is_learned_is_that_of_the_settings() -> None:
    patience = load(
        callback_timeout_factor=2,
        callback_timeout_floor_seconds=5,
        callback_timeout_ceiling_seconds=50,
        callback_timeout_samples=7,
    ).patience
    assert (patience.factor, patience.floor, patience.ceiling, patience.least) == (2, 5, 50, 7)


def test_a_floor_above_the_ceiling_is_refused() -> None:
    assert "HIVEBATCH_CALLBACK_TIMEOUT_FLOOR_SECONDS is 61, above the ceiling of 60" in refusal(
        callback_timeout_floor_seconds=61, callback_timeout_ceiling_seconds=60
    )
    assert load(callback_timeout_floor_seconds=60, callback_timeout_ceiling_seconds=60)


# --- production ---


def test_production_with_everything_is_taken() -> None:
    assert load(**PRODUCTION).mode == "production"


@pytest.mark.parametrize("name", sorted(set(PRODUCTION) - {"mode", "broker_url"}))
def test_production_without_one_of_these_is_refused(name: str) -> None:
    assert f"HIVEBATCH_{name.upper()}" in refusal(**{key: text for key, text in PRODUCTION.items() if key != name})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"broker_url": "memory://localhost/"}, "HIVEBATCH_BROKER_URL"),
        ({"secret_key": "k" * 31}, "HIVEBATCH_SECRET_KEY"),
        ({"secret_key": f"{KEY},short"}, "HIVEBATCH_SECRET_KEY"),
        ({"admin_password": ""}, "HIVEBATCH_ADMIN_PASSWORD"),
        ({"viewer_password": "a-password"}, "HIVEBATCH_VIEWER_PASSWORD"),
        ({"hive_key": " , "}, "HIVEBATCH_HIVE_KEY"),
        ({"dev_key": "hb_dev"}, "HIVEBATCH_DEV_KEY"),
    ],
)
def test_production_refuses_what_is_only_good_for_a_try(change: dict[str, str], named: str) -> None:
    assert named in refusal(**PRODUCTION | change)


@pytest.mark.parametrize(
    ("table", "needed"),
    [
        ('[v3]\nkind = "hive_v3"\nkeys = ["k"]\n', ()),
        ('[second]\nkind = "hive_v2"\nkeys = ["k"]\n', ("PUBLIC_URL",)),
        ("", ("PUBLIC_URL", "HIVE_KEY")),
    ],
)
def test_production_needs_for_its_providers_what_they_need(tmp_path: Path, table: str, needed: tuple[str, ...]) -> None:
    path = tmp_path / "providers.toml"
    path.write_text(table)
    given = {name: text for name, text in PRODUCTION.items() if name not in {"public_url", "hive_key"}}
    if needed:
        told = refusal(**given, providers=path)
        assert [name for name in ("PUBLIC_URL", "HIVE_KEY") if f"HIVEBATCH_{name}" in told] == list(needed)
    else:
        settings = load(**given, providers=path)
        assert (settings.refusals, settings.asks_for_echo("v3")) == ({}, False)


def test_a_refusal_names_everything_at_once() -> None:
    told = refusal(mode="production")
    for name in ("DATABASE_URL", "SECRET_KEY", "ADMIN_PASSWORD", "PUBLIC_URL", "HIVE_KEY", "BROKER_URL"):
        assert f"HIVEBATCH_{name}" in told


# --- where the answers go ---

REACHABLE = [
    "https://batches.example.com",
    "https://batches.example.com:8443/base",
    "https://8.8.8.8",
    "https://[2606:4700:4700::1111]",
]
UNREACHABLE = [
    None,
    "http://batches.example.com",
    "http://8.8.8.8",
    "http://127.0.0.1:8000",
    "https://127.0.0.1",
    "https://localhost",
    "https://app.localhost",
    "https://[::1]",
    "https://10.0.0.1",
    "https://172.16.0.1",
    "https://192.168.1.20:8000",
    "https://169.254.169.254",
    "https://100.64.0.1",
    "https://0.0.0.0",
    "https://[fe80::1]",
    "https://[fd00::1]",
    "https://[::ffff:10.0.0.1]",
    "https://web",
    "https://web.local",
    "https://web.internal",
]
LOOPBACK = ["http://127.0.0.1:9", "http://127.8.8.8", "http://localhost:9", "http://LOCALHOST", "http://[::1]:9"]
ELSEWHERE = ["https://api.thehive.ai", "https://10.0.0.1:9", "https://sandbox:9", "https://localhost.example.com"]


@pytest.mark.parametrize("public_url", UNREACHABLE)
@pytest.mark.parametrize("hive_url", ELSEWHERE)
def test_nothing_is_submitted_to_a_provider_that_could_not_answer(hive_url: str, public_url: str | None) -> None:
    told = load(hive_url=hive_url, public_url=public_url).refusal_to_submit()
    assert told is not None
    assert "HIVEBATCH_PUBLIC_URL" in told
    assert hive_url in told


@pytest.mark.parametrize("public_url", REACHABLE)
@pytest.mark.parametrize("hive_url", ELSEWHERE)
def test_a_provider_elsewhere_reaches_a_public_https_url(hive_url: str, public_url: str) -> None:
    assert load(hive_url=hive_url, public_url=public_url).refusal_to_submit() is None


@pytest.mark.parametrize("public_url", [url for url in (*REACHABLE, *UNREACHABLE) if url])
@pytest.mark.parametrize("hive_url", LOOPBACK)
def test_a_provider_on_this_machine_reaches_any_url(hive_url: str, public_url: str) -> None:
    assert is_loopback(hive_url)
    assert load(hive_url=hive_url, public_url=public_url).refusal_to_submit() is None


@pytest.mark.parametrize("hive_url", LOOPBACK)
def test_without_a_public_url_no_provider_can_answer(hive_url: str) -> None:
    assert "HIVEBATCH_PUBLIC_URL" in str(load(hive_url=hive_url, public_url=None).refusal_to_submit())


@pytest.mark.parametrize("hive_url", ["http://api.thehive.ai", "http://10.0.0.1", "http://sandbox:8900"])
def test_a_key_is_never_sent_in_the_clear_to_another_machine(hive_url: str) -> None:
    with pytest.raises(UnsafeConfiguration, match="https"):
        load(hive_url=hive_url)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hive_key": "a,b,c"},
        {"hive_task_path": "task"},
        {"hive_task_path": "/task?id="},
        {"database_url": "mysql://x/y"},
        {"rate_per_second": 1e-300},
        {"sweep_seconds": 7200},
    ],
)
def test_a_setting_that_could_not_work_is_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(UnsafeConfiguration, match=f"HIVEBATCH_{next(iter(wrong)).upper()}"):
        load(**wrong)


def test_production_that_nobody_could_answer_does_not_start() -> None:
    with pytest.raises(UnsafeConfiguration, match=r"10\.0\.0\.1"):
        load(**PRODUCTION | {"public_url": "http://10.0.0.1", "hive_url": "https://api.thehive.ai"})


# --- the database ---


def test_the_default_database_lies_in_the_data_directory(tmp_path: Path) -> None:
    assert load(data_dir=tmp_path).resolved_database_url == f"sqlite:///{tmp_path}/hivebatch.db"
    assert load(data_dir="var").resolved_database_url == f"sqlite:///{Path.cwd()}/var/hivebatch.db"
    assert load(database_url="postgresql://db/x").resolved_database_url == "postgresql://db/x"
