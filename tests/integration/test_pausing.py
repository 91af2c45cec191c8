"""Pausing: one batch stands still, for a reason that everybody can read, and the others go on."""

from uuid import UUID

import pytest
from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory
from sqlalchemy import select

from app.ids import read
from app.models import audit_events
from app.providers.base import Accepted
from app.runtime import Runtime
from app.services import batches
from tests.factories import PROVIDER, counts, deliver, drain, held, record, states, submit, sweep, take, take_one
from tests.fakes import RecordingDoorbell, success
from tests.integration.rest import Rest, body_of, foreign, unknown

WHY = {"reason": "the prompts are wrong"}


@pytest.fixture
def api(client: FlaskClient, api_key: str) -> Rest:
    return Rest(client, api_key)


def audited(runtime: Runtime, shown: str) -> list[tuple[str, str]]:
    """Who did what to a batch, in order."""
    query = select(audit_events).where(audit_events.c.subject == shown).order_by(audit_events.c.id)
    with runtime.database.reading() as connection:
        return [(row.actor, row.action) for row in connection.execute(query)]


def test_a_paused_batch_says_so_with_who_and_why(api: Rest, clock: FrozenDateTimeFactory) -> None:
    shown = api.submit("a")["id"]
    response = api.post(f"/api/batches/{shown}/pause", WHY)
    assert response.status_code == 200
    batch = body_of(response)
    assert batch["status"] == "paused"
    assert batch["holds"] == [
        {
            "reason": "paused",
            "message": "the prompts are wrong",
            "since": "2026-03-01T12:00:00Z",
            "until": None,
            "placed_by": "alice",
            "ends": "somebody resumes it",
        }
    ]
    assert body_of(api.get(f"/api/batches/{shown}")) == batch
    assert body_of(api.get("/api/batches"))["items"] == [batch]


def test_nothing_is_submitted_from_a_paused_batch_and_the_others_go_on(api: Rest, runtime: Runtime) -> None:
    paused, other = api.submit("a", "b"), api.submit("c")
    api.post(f"/api/batches/{paused['id']}/pause", WHY)
    drain(runtime)
    assert (api.counts(paused["id"]), api.counts(other["id"])) == ({"queued": 2}, {"waiting": 1})
    assert body_of(api.get(f"/api/batches/{other['id']}"))["status"] == "in_progress"


def test_what_the_provider_has_of_a_paused_batch_goes_on(api: Rest, runtime: Runtime) -> None:
    shown = api.submit("a", "b")["id"]
    (claimed,) = take(runtime, 1)
    record(runtime, claimed, Accepted("task-1", 200))
    api.post(f"/api/batches/{shown}/pause", WHY)
    deliver(runtime, claimed.submission, success("x"))
    assert api.counts(shown) == {"completed": 1, "queued": 1}


def test_a_resumed_batch_goes_on_at_once(api: Rest, runtime: Runtime) -> None:
    assert isinstance(runtime.doorbell, RecordingDoorbell)
    shown = api.submit("a")["id"]
    api.post(f"/api/batches/{shown}/pause", WHY)
    drain(runtime)
    runtime.doorbell.rings.clear()
    batch = body_of(api.post(f"/api/batches/{shown}/resume"))
    assert (batch["status"], batch["holds"], runtime.doorbell.rings) == ("in_progress", [], [PROVIDER])
    drain(runtime)
    assert api.counts(shown) == {"waiting": 1}


def test_pausing_again_replaces_the_words_and_not_the_beginning(api: Rest, clock: FrozenDateTimeFactory) -> None:
    shown = api.submit("a")["id"]
    api.post(f"/api/batches/{shown}/pause", WHY)
    clock.tick(60)
    (hold,) = body_of(api.post(f"/api/batches/{shown}/pause", {"reason": "lunch"}))["holds"]
    assert (hold["message"], hold["since"]) == ("lunch", "2026-03-01T12:00:00Z")


def test_resuming_what_is_not_paused_changes_nothing(api: Rest, runtime: Runtime) -> None:
    shown = api.submit("a")["id"]
    for _ in range(2):
        response = api.post(f"/api/batches/{shown}/resume")
        assert (response.status_code, body_of(response)["status"]) == (200, "in_progress")
    assert audited(runtime, shown) == []


def test_it_is_kept_who_paused_and_who_resumed(api: Rest, runtime: Runtime) -> None:
    shown = api.submit("a")["id"]
    for _ in range(2):
        api.post(f"/api/batches/{shown}/pause", WHY)
        api.post(f"/api/batches/{shown}/resume")
    assert audited(runtime, shown) == [("alice", "batch.pause"), ("alice", "batch.resume")] * 2


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_only_its_owner_holds_a_batch(api: Rest, client: FlaskClient, runtime: Runtime, action: str) -> None:
    shown = api.submit("a")["id"]
    content = WHY if action == "pause" else None
    assert foreign(client, runtime).post(f"/api/batches/{shown}/{action}", content).status_code == 404
    assert api.post(f"/api/batches/{unknown('batch')}/{action}", content).status_code == 404
    assert held(runtime) == ()


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": None}, {"reason": "x" * 501}, {"reason": "x", "y": 1}])
def test_a_pause_without_a_reason_is_refused(api: Rest, runtime: Runtime, body: dict[str, object]) -> None:
    shown = api.submit("a")["id"]
    assert api.post(f"/api/batches/{shown}/pause", body).status_code == 400
    assert held(runtime) == ()


def test_a_batch_that_has_ended_or_is_ending_cannot_be_paused(api: Rest, runtime: Runtime) -> None:
    shown = api.submit("a")["id"]
    deliver(runtime, take_one(runtime).submission, success("x"))
    assert api.post(f"/api/batches/{shown}/pause", WHY).status_code == 409
    cancelled = api.submit("a")["id"]
    api.post(f"/api/batches/{cancelled}/cancel")
    assert api.post(f"/api/batches/{cancelled}/pause", WHY).status_code == 409
    assert held(runtime) == ()


def ended_by(runtime: Runtime, batch_id: UUID, clock: FrozenDateTimeFactory, how: str) -> str:
    if how == "cancel":
        batches.cancel(runtime, None, batch_id)
    else:
        clock.tick(8 * 86400)
        sweep(runtime)
    return states(runtime, batch_id)[0]


@pytest.mark.parametrize(("how", "state"), [("cancel", "cancelled"), ("expiry", "failed")])
def test_a_paused_batch_can_end_and_is_held_no_longer(
    api: Rest, runtime: Runtime, clock: FrozenDateTimeFactory, how: str, state: str
) -> None:
    shown = api.submit("a")["id"]
    api.post(f"/api/batches/{shown}/pause", WHY)
    assert ended_by(runtime, read("batch", shown), clock, how) == state
    assert held(runtime) == ()
    api.post(f"/api/batches/{shown}/retry")
    assert body_of(api.get(f"/api/batches/{shown}"))["status"] == "in_progress"


def test_a_sweep_does_not_spin_for_what_is_paused(api: Rest, runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    shown = api.submit("a")["id"]
    api.post(f"/api/batches/{shown}/pause", WHY)
    clock.tick(100)
    swept = sweep(runtime)
    drain(runtime)
    assert (swept.next_at - clock().replace(tzinfo=swept.next_at.tzinfo)).total_seconds() == 5.0
    assert counts(runtime, submit(runtime, "b")) == {"queued": 1}
