"""docker-compose.yml says what the Procfile and the code say; Docker is not needed to tell."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app import create_app
from app.config import Settings
from app.runtime import Runtime
from app.sandbox import create_sandbox
from app.sandbox.config import SandboxConfig
from tests.e2e.procfile import PROCESSES, ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "web", "worker", "sandbox")
LOCAL = {"data_dir", "host", "port", "dev_key"}
"""Settings of `up` only."""
FIXED = {"mode", "database_url", "broker_url"}
"""Settings that follow from what compose runs."""
SECRETS = {"SECRET_KEY", "ADMIN_PASSWORD", "DATABASE_URL"}


def test_compose_has_the_services_of_a_production_installation_and_the_sandbox_only_on_request() -> None:
    assert set(SERVICES) == {"postgres", "redis", *OURS}
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["sandbox"]


@pytest.mark.parametrize(("service", "process"), [("migrate", "release"), ("web", "web"), ("worker", "worker")])
def test_a_service_runs_its_line_of_the_procfile(service: str, process: str) -> None:
    shell, flag, line = SERVICES[service]["command"]
    assert (shell, flag) == ("sh", "-c")
    assert "$" not in line.replace("$$", ""), "a single $ is replaced when the file is read"
    assert line.replace("$$", "$") == PROCESSES[process]


def test_every_process_of_the_procfile_is_a_service() -> None:
    commands = [service["command"][-1].replace("$$", "$") for service in SERVICES.values() if "command" in service]
    assert set(PROCESSES.values()) <= set(commands)


@pytest.mark.parametrize("service", ["migrate", "web", "worker"])
def test_every_setting_of_a_service_exists(service: str) -> None:
    names = [name for name in SERVICES[service]["environment"] if name != "PORT"]
    known = {f"HIVEBATCH_{field.upper()}" for field in Settings.model_fields}
    assert names
    assert set(names) <= known


@pytest.mark.parametrize("service", ["web", "worker"])
def test_every_setting_that_is_not_local_is_handed_on(service: str) -> None:
    environment = SERVICES[service]["environment"]
    handed_on = {f"HIVEBATCH_{field.upper()}" for field in set(Settings.model_fields) - LOCAL - FIXED}
    assert handed_on <= set(environment)
    for name in handed_on:  # without a value it is handed on if it is set
        assert environment[name] is None or environment[name].startswith(f"${{{name}:"), name
    assert {f"HIVEBATCH_{field.upper()}" for field in FIXED} <= set(environment)


@pytest.mark.parametrize("service", ["migrate", "web", "worker"])
def test_a_service_runs_in_production_mode_and_its_secrets_have_no_default(service: str) -> None:
    environment = SERVICES[service]["environment"]
    assert environment["HIVEBATCH_MODE"] == "production"
    for name in SECRETS:
        assert re.search(r"\$\{[A-Z_]+:\?[^}]+\}", environment[f"HIVEBATCH_{name}"]), name


def test_the_environment_of_compose_is_a_production_that_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "POSTGRES_PASSWORD": "letters0",
        "HIVEBATCH_SECRET_KEY": "0123456789abcdef" * 4,
        "HIVEBATCH_ADMIN_PASSWORD": "a-password",
        "HIVEBATCH_HIVE_KEY": "key",
        "HIVEBATCH_PUBLIC_URL": "https://batches.example.com",
    }
    environment = SERVICES["web"]["environment"]
    for name, text in environment.items():
        if text is not None or name in given:  # else it is handed on if it is set
            monkeypatch.setenv(name, given[name] if text is None else _interpolated(text, given))
    settings = Settings()
    assert settings.mode == "production"
    assert settings.refusal_to_submit() is None
    assert settings.database_url == "postgresql+psycopg://hivebatch:letters0@postgres/hivebatch"


def test_with_the_sandbox_as_the_file_says_jobs_are_submitted() -> None:
    comment = (ROOT / "docker-compose.yml").read_text().partition("\nx-app")[0]
    named = dict(re.findall(r"HIVEBATCH_(HIVE_URL|HIVE_KEY|PUBLIC_URL)=(\S+)", comment))
    sandbox = SERVICES["sandbox"]["command"][-1]
    assert sandbox.endswith("--allow-remote-callbacks")
    assert f"--port {named['HIVE_URL'].rpartition(':')[2]} " in sandbox
    assert SERVICES["sandbox"]["network_mode"] == "service:worker"
    settings = Settings(**{name.lower(): text for name, text in named.items()})  # type: ignore[arg-type]  # by name
    assert settings.refusal_to_submit() is None


def test_the_database_of_compose_is_the_one_that_its_services_open() -> None:
    environment = SERVICES["postgres"]["environment"]
    url = SERVICES["web"]["environment"]["HIVEBATCH_DATABASE_URL"]
    wanted = f"{environment['POSTGRES_USER']}:{environment['POSTGRES_PASSWORD']}@postgres/{environment['POSTGRES_DB']}"
    assert url == f"postgresql+psycopg://{wanted}"
    assert SERVICES["web"]["environment"]["HIVEBATCH_BROKER_URL"].startswith("redis://redis:")


def test_the_published_port_is_the_one_that_web_listens_on_and_this_machine_only() -> None:
    (published,) = SERVICES["web"]["ports"]
    assert published.split(":")[0] == "127.0.0.1"
    assert published.split(":")[-1] == SERVICES["web"]["environment"]["PORT"]
    assert [name for name in OURS if "ports" in SERVICES[name]] == ["web"]


def test_the_health_checks_ask_routes_that_exist(runtime: Runtime) -> None:
    web = {rule.rule for rule in create_app(runtime).url_map.iter_rules()}
    sandbox = {rule.rule for rule in create_sandbox(SandboxConfig()).url_map.iter_rules()}
    assert _asked_path("web") == "/readyz"
    assert _asked_path("web") in web
    assert _asked_path("sandbox") in sandbox


def test_everything_that_stays_has_a_health_check_and_waits_for_what_it_needs() -> None:
    assert [name for name, service in SERVICES.items() if "healthcheck" not in service] == ["migrate"]
    for name in ("web", "worker"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert SERVICES[name]["depends_on"]["redis"] == {"condition": "service_healthy"}
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_the_image_is_built_from_files_that_exist_and_runs_as_nobody_special() -> None:
    builds = [SERVICES[name]["build"] for name in OURS]
    assert all(build == builds[0] for build in builds)
    lines = builds[0]["dockerfile_inline"].splitlines()
    copied = [name for line in lines if line.startswith("COPY") for name in line.split()[1:-1]]
    assert {"app", "workers", "migrations", "requirements.txt"} <= set(copied)
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert [line for line in lines if "pip install" in line and not re.search("--require-hashes|--no-deps", line)] == []
    assert "$" not in builds[0]["dockerfile_inline"], "it is replaced when the file is read"
    assert lines[-2:] == ["USER hivebatch", "WORKDIR /home/hivebatch"]


def test_the_image_has_the_python_that_the_requirements_are_locked_for() -> None:
    first = COMPOSE["x-app"]["build"]["dockerfile_inline"].splitlines()[0]
    assert first == "FROM python:3.11-slim"
    assert sys.version_info >= (3, 11)
    assert "--python-version 3.11" in Path(ROOT / "Makefile").read_text()


def _asked_path(service: str) -> str:
    code = SERVICES[service]["healthcheck"]["test"][-1]
    found = re.search(r"'(?:http://127\.0\.0\.1:\d+)?(/[a-z/]+)'", code)
    assert found, code
    return found.group(1)


def _interpolated(text: str, given: dict[str, str]) -> str:
    """As `docker compose` does it, for the two forms that the file uses."""

    def value(match: re.Match[str]) -> str:
        name, operator, default = match.groups()
        return given[name] if operator == ":?" else given.get(name, default)

    return re.sub(r"\$\{([A-Z_]+)(:[?-])([^}]*)\}", value, text)
