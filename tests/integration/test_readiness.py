"""Readiness, and what is told with it: the workers that live, the holds, and nothing that is nobody's business."""

from typing import Any

from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory

from app import create_app
from app.providers.base import Held
from app.runtime import Runtime
from app.services import sweeps
from app.services.health import readiness
from tests.conftest import MakeRuntime
from tests.factories import counts, drain, held, submit, sweep, take
from tests.fakes import FakeProvider
from tests.gates import while_uncommitted

WORDS = "Your organisation Acme Corp has used up its quota"


def ready(client: FlaskClient) -> dict[str, Any]:
    """The body of a ready answer."""
    response = client.get("/readyz")
    assert response.status_code == 200, response.text
    assert response.json is not None
    return response.json


def workers(runtime: Runtime) -> set[str]:
    return {worker.worker for worker in readiness(runtime).workers}


# --- ready or not ---


def test_readiness_does_not_queue_with_the_claims(runtime: Runtime, client: FlaskClient) -> None:
    submit(runtime, "a", "b")
    take(runtime, 1)  # the row that every claim locks is there from now on
    answers: list[dict[str, Any]] = []
    has_not_waited = while_uncommitted(runtime, take, lambda: answers.append(ready(client)))
    assert [answer["is_ready"] for answer in answers] == [True]
    # SQLite has one writer at a time, whatever it writes.
    assert has_not_waited is not runtime.database.is_sqlite


def test_what_the_provider_said_is_not_told_to_everybody(
    runtime: Runtime, provider: FakeProvider, client: FlaskClient
) -> None:
    submit(runtime, "a")
    provider.script.append(Held("rate_limited", WORDS, retry_after_seconds=60))
    drain(runtime)
    (hold,) = ready(client)["holds"]
    assert hold["reason"] == "rate_limited"
    assert "message" not in hold
    assert "Acme" not in client.get("/readyz").text
    assert [placed.message for placed in held(runtime)] == [WORDS]


def test_settings_that_forbid_submitting_show_as_a_hold(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(hive_url="https://hive.invalid", public_url="http://10.0.0.1")
    provider = runtime.providers["hive_v2"]
    assert isinstance(provider, FakeProvider)
    batch_id = submit(runtime, "a")
    drain(runtime)
    assert (counts(runtime, batch_id), provider.submissions) == ({"queued": 1}, [])
    (hold,) = held(runtime)
    assert (hold.scope, hold.scope_id, hold.reason, hold.until) == ("provider", "hive_v2", "settings", None)
    assert "HIVEBATCH_PUBLIC_URL is http://10.0.0.1" in hold.message
    assert [shown["reason"] for shown in ready(create_app(runtime).test_client())["holds"]] == ["settings"]


def test_settings_that_allow_submitting_are_no_hold(runtime: Runtime, client: FlaskClient) -> None:
    assert (held(runtime), ready(client)["holds"]) == ((), [])


# --- who works ---


def test_workers_that_have_not_swept_for_minutes_are_not_listed(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    sweeps.sweep(runtime, "quiet")
    clock.tick(120)
    assert workers(runtime) == {"quiet"}
    sweeps.sweep(runtime, "lively")
    clock.tick(1)
    assert workers(runtime) == {"lively"}


def test_without_a_worker_a_process_is_ready_all_the_same(
    runtime: Runtime, client: FlaskClient, clock: FrozenDateTimeFactory
) -> None:
    sweep(runtime)
    clock.tick(121)
    body = ready(client)
    assert (body["workers"], body["last_sweep_at"]) == ([], None)


def test_a_worker_that_ends_takes_its_leave_and_nobody_elses(runtime: Runtime) -> None:
    for name in ("one", "other"):
        sweeps.sweep(runtime, name)
    sweeps.end(runtime, "one")
    assert workers(runtime) == {"other"}
