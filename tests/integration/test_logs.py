"""Whatever happens to a batch, its log holds ids and nothing that somebody wrote or has to keep to himself."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from app import create_app
from app.errors import DatabaseUnavailable
from app.logs import EventFormatter
from app.queue import CeleryDoorbell, make_celery
from app.runtime import Runtime, build
from app.sandbox.config import SandboxConfig
from app.sandbox.server import SandboxServer
from app.services import health, keys, submission, sweeps
from tests.conftest import make_settings
from tests.fakes import failure, success
from tests.integration.rest import Rest, jobs
from tests.servers import free_port

PROMPT, ANSWER = "canary-prompt", "canary-answer"
HIVE_KEY, SECRET_KEY, ADMIN_PASSWORD = "canary-hive-key", "canary-secret-key-of-32-characters", "canary-password"
BROKER_PASSWORD = "canary-broker"

# What the sandbox does with each prompt; all of them quote it in their answers where they have a text of their own.
PROMPTS = [
    f"{PROMPT} [[sandbox lost]]",
    f"{PROMPT} again [[sandbox lost]]",
    f"{PROMPT} cut [[sandbox reset]]",
    f"{PROMPT} refused [[sandbox status=400]]",
    f"{PROMPT} broken [[sandbox status=500]]",
    f"{PROMPT} page [[sandbox status=502 html]]",
    f"{PROMPT} limited [[sandbox status=429 retry_after=1]]",
]


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxConfig(profile="calm", latency=(0.0, 0.0))) as served:
        yield served


@pytest.fixture
def runtime(database_url: str, sandbox: SandboxServer) -> Iterator[Runtime]:
    settings = make_settings(
        database_url=database_url,
        hive_url=sandbox.url,
        hive_key=HIVE_KEY,
        hive_task_path="/api/v2/task?task_id={task_id}",
        secret_key=SECRET_KEY,
        admin_password=ADMIN_PASSWORD,
        broker_url=f"redis://:{BROKER_PASSWORD}@127.0.0.1:{free_port()}/0",
        max_callback_bytes=100_000,
    )
    built = build(settings, CeleryDoorbell(make_celery(settings)))
    yield built
    built.close()


@pytest.fixture
def shown(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """As `logs.configure("DEBUG")` has it: all of ours, and of other libraries what is worth a warning."""
    caplog.set_level(logging.WARNING)
    for name in ("app", "workers"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [EventFormatter().format(record) for record in caplog.records]


def events(caplog: pytest.LogCaptureFixture) -> set[str]:
    return {record.getMessage().split(" ")[0] for record in caplog.records}


def tokens(sandbox: SandboxServer) -> list[str]:
    urls = [task.submission.callback_url for task in sandbox.sandbox.ledger._tasks.values()]
    return [urlsplit(str(url)).path.rpartition("/")[2] for url in urls]


def assert_silent(caplog: pytest.LogCaptureFixture, *more: str) -> None:
    said = "\n".join(lines(caplog))
    for secret in ("canary", *more):
        assert secret not in said


@contextmanager
def without(runtime: Runtime, table: str) -> Iterator[None]:
    """While this lasts, every statement about the table fails, whatever its parameters."""
    with runtime.database.transaction() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO away"))
    try:
        yield
    finally:
        with runtime.database.transaction() as connection:
            connection.execute(text(f"ALTER TABLE away RENAME TO {table}"))


def log_in(client: FlaskClient, password: str) -> int:
    found = re.search(r'name="token" value="([^"]+)"', client.get("/admin/login").text)
    assert found
    return client.post("/admin/login", data={"token": found[1], "password": password}).status_code


def call_back(client: FlaskClient, token: str, body: bytes) -> int:
    return client.post(f"/callbacks/hive/{token}", data=body).status_code


def test_the_life_of_a_batch_leaves_no_word_of_it_in_the_log(
    runtime: Runtime, sandbox: SandboxServer, shown: pytest.LogCaptureFixture
) -> None:
    client = create_app(runtime).test_client()
    secret = keys.create(runtime, "alice", "tests").secret
    api = Rest(client, secret)
    api.submit(*PROMPTS, options={"system_prompt": PROMPT}, metadata={"note": PROMPT}, name=PROMPT)
    submission.drain(runtime, "hive_v2")
    first, second, *_ = tokens(sandbox)
    for token, body in [
        (first, success(ANSWER)),
        (first, success(ANSWER)),
        (first, failure(ANSWER)),
        (second, ANSWER.encode()),
        (second, success(ANSWER, task_id="canary-of-another")),
        (second, failure(ANSWER, metadata=ANSWER)),
        (second, b"canary" * 20_000),
        (second[:-1] + ("A" if second[-1] != "A" else "B"), success(ANSWER)),
    ]:
        assert call_back(client, token, body) in {200, 404, 413}
    sweeps.sweep(runtime, "test")
    assert {"batch_created", "job_moved"} <= events(shown)
    assert_silent(shown, secret, first, second)


def test_whoever_is_refused_leaves_no_key_in_the_log(runtime: Runtime, shown: pytest.LogCaptureFixture) -> None:
    client = create_app(runtime).test_client()
    secret = keys.create(runtime, "alice", "tests").secret
    key_id = keys.listing(runtime)[0].id
    keys.revoke(runtime, key_id)
    for wrong in (secret, "canary-key"):
        assert Rest(client, wrong).get("/api/batches").status_code == 401
    good = Rest(client, keys.create(runtime, "alice", "tests").secret)
    bad = {"jobs": [{"custom_id": "canary", "text_data": PROMPT, "canary": PROMPT}]}
    assert good.post("/api/batches", bad).status_code == 400
    assert good.get("/api/batches/canary").status_code == 404
    assert good.get("/canary").status_code == 404
    assert client.post("/callbacks/hive/canary-token", data=success(ANSWER)).status_code == 404
    assert log_in(client, "canary-wrong-password") == 403
    assert log_in(client, ADMIN_PASSWORD) == 303
    assert {"admin_login_refused", "admin_login"} <= events(shown)
    assert_silent(shown, secret)


def test_a_provider_that_refuses_the_key_leaves_no_key_in_the_log(
    runtime: Runtime, sandbox: SandboxServer, shown: pytest.LogCaptureFixture
) -> None:
    client = create_app(runtime).test_client()
    sandbox.sandbox.keys.refuse(HIVE_KEY, 401)
    Rest(client, keys.create(runtime, "alice", "tests").secret).submit(PROMPT)
    submission.drain(runtime, "hive_v2")
    assert "provider_held" in events(shown)
    assert_silent(shown)


def test_a_provider_that_is_away_leaves_nothing_in_the_log(
    runtime: Runtime, sandbox: SandboxServer, shown: pytest.LogCaptureFixture
) -> None:
    client = create_app(runtime).test_client()
    Rest(client, keys.create(runtime, "alice", "tests").secret).submit(PROMPT)
    sandbox.stop()
    submission.drain(runtime, "hive_v2")
    assert "provider_held" in events(shown)
    assert_silent(shown)


@pytest.mark.parametrize("table", ["job_results", "callbacks", "attempts", "jobs"])
def test_a_fault_while_a_callback_is_kept_leaves_no_answer_in_the_log(
    table: str, runtime: Runtime, sandbox: SandboxServer, shown: pytest.LogCaptureFixture
) -> None:
    client = create_app(runtime).test_client()
    client.application.config["PROPAGATE_EXCEPTIONS"] = False
    Rest(client, keys.create(runtime, "alice", "tests").secret).submit(PROMPTS[0])
    submission.drain(runtime, "hive_v2")
    (token,) = tokens(sandbox)
    with without(runtime, table):
        assert call_back(client, token, success(ANSWER)) in {500, 503}
    assert {"request_failed", "database_unavailable"} & events(shown)
    assert_silent(shown, token)
    assert call_back(client, token, success(ANSWER)) == 200


@pytest.mark.parametrize("table", ["batches", "jobs", "job_inputs"])
def test_a_fault_while_a_batch_is_stored_leaves_no_prompt_in_the_log(
    table: str, runtime: Runtime, shown: pytest.LogCaptureFixture
) -> None:
    client = create_app(runtime).test_client()
    client.application.config["PROPAGATE_EXCEPTIONS"] = False
    api = Rest(client, keys.create(runtime, "alice", "tests").secret)
    with without(runtime, table):
        response = api.post("/api/batches", {"jobs": jobs(*PROMPTS), "name": PROMPT, "options": {"top_p": 0.5}})
    assert response.status_code in {500, 503}
    assert "canary" not in response.text
    assert {"request_failed", "database_unavailable"} & events(shown)
    assert_silent(shown)


def test_a_database_that_is_away_leaves_no_password_in_the_log(
    runtime: Runtime, shown: pytest.LogCaptureFixture
) -> None:
    url = f"postgresql://user:canary-database@127.0.0.1:{free_port()}/x"
    stranded = build(make_settings(database_url=url), runtime.doorbell)
    client = create_app(stranded).test_client()
    assert not health.readiness(stranded).is_ready
    assert client.get("/readyz").status_code == 503
    assert Rest(client, "canary-key").get("/api/batches").status_code == 503
    assert call_back(client, "canary-token", success(ANSWER)) == 404
    with pytest.raises(DatabaseUnavailable):
        submission.drain(stranded, "hive_v2")
    stranded.sending["hive_v2"].close()
    stranded.database.close()
    assert {"not_ready", "database_unavailable"} <= events(shown)
    assert_silent(shown)


def test_a_broker_that_is_away_leaves_no_password_in_the_log(runtime: Runtime, shown: pytest.LogCaptureFixture) -> None:
    doorbell = runtime.doorbell
    assert isinstance(doorbell, CeleryDoorbell)
    doorbell._send("hive_v2")
    assert doorbell.failures == 1
    assert "ring_failed" in events(shown)
    assert_silent(shown)


def test_every_event_has_a_plain_name(runtime: Runtime, shown: pytest.LogCaptureFixture) -> None:
    client = create_app(runtime).test_client()
    Rest(client, keys.create(runtime, "alice", "tests").secret).submit(*PROMPTS)
    submission.drain(runtime, "hive_v2")
    ours = [record for record in shown.records if record.name.startswith("app")]
    assert {record.getMessage() for record in ours} >= {"batch_created", "job_moved", "provider_held"}
    assert all(record.getMessage().split(" ")[0].replace("_", "").isalpha() for record in ours)
