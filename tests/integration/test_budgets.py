"""Budgets: a batch that has cost what it may stands still, and fails nothing; costs by what they were good for."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from app.ids import read
from app.providers.base import Accepted
from app.runtime import Runtime
from app.services import budgets
from app.store import schema
from migrations import runner
from tests.conftest import MakeRuntime
from tests.factories import (
    PROVIDER,
    batch,
    deliver,
    drain,
    held,
    interposed,
    record,
    side_by_side,
    submit,
    sweep,
    take,
    take_one,
)
from tests.fakes import FakeProvider, RecordingDoorbell, failure, success, unrecognised
from tests.integration.rest import Rest, body_of, foreign, jobs


@pytest.fixture
def api(client: FlaskClient, api_key: str) -> Rest:
    return Rest(client, api_key)


def answer(runtime: Runtime, *charges: str) -> None:
    """Submit as many jobs, one after the other, and have each answered at its price."""
    for charge in charges:
        (claimed,) = take(runtime, 1)
        deliver(runtime, claimed.submission, success("x", charge=charge))


def test_a_batch_that_has_cost_its_budget_is_paused_and_fails_nothing(api: Rest, runtime: Runtime) -> None:
    shown = api.submit("a", "b", "c", budget="0.03")["id"]
    answer(runtime, "0.0299999")
    assert body_of(api.get(f"/api/batches/{shown}"))["status"] == "in_progress"
    answer(runtime, "0.0000001")
    batch = body_of(api.get(f"/api/batches/{shown}"))
    assert (batch["status"], batch["budget"], batch["cost"]) == ("paused", "0.03", "0.03")
    (hold,) = batch["holds"]
    assert (hold["reason"], hold["message"], hold["until"]) == ("budget", "0.03 of 0.03 is spent.", None)
    drain(runtime)
    assert api.counts(shown) == {"completed": 2, "queued": 1}


def test_other_batches_go_on(api: Rest, runtime: Runtime) -> None:
    api.submit("a", "b", budget="0.01")
    answer(runtime, "0.01")
    other = api.submit("c")["id"]
    drain(runtime)
    assert api.counts(other) == {"waiting": 1}


def test_what_is_under_way_is_taken_beyond_the_budget(api: Rest, runtime: Runtime) -> None:
    shown = api.submit("a", "b", "c", budget="0.01")["id"]
    for claimed in take(runtime, 2):
        deliver(runtime, claimed.submission, success("x", charge="0.01"))
    batch = body_of(api.get(f"/api/batches/{shown}"))
    assert (batch["cost"], batch["counts"]["completed"], batch["status"]) == ("0.02", 2, "paused")


def test_a_higher_budget_lets_it_go_on_and_one_that_is_too_low_does_not(api: Rest, runtime: Runtime) -> None:
    assert isinstance(runtime.doorbell, RecordingDoorbell)
    shown = api.submit("a", "b", budget="0.01")["id"]
    answer(runtime, "0.02")
    still = body_of(api.post(f"/api/batches/{shown}/budget", {"budget": "0.02"}))
    assert (still["status"], still["budget"]) == ("paused", "0.02")
    runtime.doorbell.rings.clear()
    batch = body_of(api.post(f"/api/batches/{shown}/budget", {"budget": "0.020000001"}))
    assert (batch["status"], batch["holds"], runtime.doorbell.rings) == ("in_progress", [], [PROVIDER])
    drain(runtime)
    assert api.counts(shown) == {"completed": 1, "waiting": 1}


def test_a_budget_that_is_given_later_counts_what_was_spent_before(api: Rest, runtime: Runtime) -> None:
    shown = api.submit("a", "b")["id"]
    answer(runtime, "0.02")
    assert body_of(api.post(f"/api/batches/{shown}/budget", {"budget": "0.01"}))["status"] == "paused"


def test_who_paused_it_by_hand_has_to_resume_it_whatever_the_budget(api: Rest, runtime: Runtime) -> None:
    shown = api.submit("a", "b", budget="0.01")["id"]
    answer(runtime, "0.01")
    api.post(f"/api/batches/{shown}/pause", {"reason": "lunch"})
    assert body_of(api.post(f"/api/batches/{shown}/resume"))["status"] == "paused"
    api.post(f"/api/batches/{shown}/pause", {"reason": "lunch"})
    assert body_of(api.post(f"/api/batches/{shown}/budget", {"budget": "1"}))["status"] == "paused"
    assert body_of(api.post(f"/api/batches/{shown}/resume"))["status"] == "in_progress"


def test_a_retry_of_a_batch_that_has_spent_its_budget_submits_nothing(
    api: Rest, runtime: Runtime, provider: FakeProvider
) -> None:
    shown = api.submit("a", "b", budget="0.0002", max_attempts=1)["id"]
    for claimed in take(runtime, 2):
        deliver(runtime, claimed.submission, unrecognised())
    assert (api.counts(shown), held(runtime)) == ({"failed": 2}, ())
    api.post(f"/api/batches/{shown}/retry")
    drain(runtime)
    assert (body_of(api.get(f"/api/batches/{shown}"))["status"], provider.submissions) == ("paused", [])


def test_two_last_costs_that_are_booked_at_once_are_both_seen(make_runtime: MakeRuntime, api: Rest) -> None:
    runtimes = [make_runtime() for _ in range(2)]
    shown = api.submit("a", "b", "c", budget="0.02")["id"]
    claimed = take(runtimes[0], 2)
    bodies = success("x", charge="0.01")
    side_by_side(
        lambda: deliver(runtimes[0], claimed[0].submission, bodies),
        lambda: deliver(runtimes[1], claimed[1].submission, bodies),
    )
    assert body_of(api.get(f"/api/batches/{shown}"))["status"] == "paused"


def test_what_a_process_that_died_did_not_hold_is_held_by_the_sweep(api: Rest, runtime: Runtime) -> None:
    shown = api.submit("a", "b", budget="0.01")["id"]
    answer(runtime, "0.01")
    with runtime.database.transaction() as connection:
        connection.execute(text("DELETE FROM holds"))
    sweep(runtime)
    assert body_of(api.get(f"/api/batches/{shown}"))["status"] == "paused"


def test_a_budget_that_is_raised_while_its_end_is_written_is_not_held(runtime: Runtime, api: Rest) -> None:
    shown = api.submit("a", "b", budget="0.05")["id"]
    answer(runtime, "0.02")
    with runtime.database.transaction() as connection:
        connection.execute(text("UPDATE batches SET budget_nano = 10000000"))

    def raise_it() -> None:
        with runtime.database.transaction() as connection:
            connection.execute(text("UPDATE batches SET budget_nano = 50000000"))

    budgets.enforce(interposed(runtime, before={1: raise_it}))
    assert body_of(api.get(f"/api/batches/{shown}"))["status"] == "in_progress"


@pytest.mark.parametrize("budget", ["0", "0.000000000", "-1", "1e3", "1.0000000001", "1" * 10, "NaN", "", 1, 1.5, None])
def test_a_budget_is_an_amount_above_nothing_as_text(api: Rest, budget: object) -> None:
    assert api.post("/api/batches", {"jobs": jobs("a"), "budget": budget}).status_code == 400
    shown = api.submit("a")["id"]
    assert api.post(f"/api/batches/{shown}/budget", {"budget": budget}).status_code == 400


def test_a_budget_can_be_given_with_lines_and_with_a_single_job(api: Rest) -> None:
    lines = body_of(api.post_lines(jobs("a"), query_string={"budget": "2.50"}))
    assert lines["budget"] == "2.5"
    job = body_of(api.post("/api/jobs", {"text_data": "a", "budget": "3"}))
    assert body_of(api.get(f"/api/batches/{job['batch_id']}"))["budget"] == "3"
    assert api.submit("a")["budget"] is None


def test_only_its_owner_gives_a_batch_a_budget(api: Rest, client: FlaskClient, runtime: Runtime) -> None:
    shown = api.submit("a")["id"]
    assert foreign(client, runtime).post(f"/api/batches/{shown}/budget", {"budget": "1"}).status_code == 404
    assert body_of(api.get(f"/api/batches/{shown}"))["budget"] is None


# --- what costs were good for ---


def test_costs_are_told_apart_by_what_they_were_good_for(api: Rest, runtime: Runtime) -> None:
    shown = api.submit("good", "failed", "cancelled", max_attempts=1)["id"]
    first, second, third = take(runtime)
    deliver(runtime, first.submission, success("x", charge="0.1"))
    deliver(runtime, second.submission, unrecognised())
    api.post(f"/api/batches/{shown}/cancel")
    deliver(runtime, third.submission, success("x", charge="0.04"))
    batch = body_of(api.get(f"/api/batches/{shown}"))
    assert batch["costs"] == {"useful": "0.1", "late": "0.04", "duplicate": "0", "failed": "0.0002"}
    assert batch["cost"] == "0.1402"


def test_a_second_answer_is_a_duplicate_and_a_late_one_that_a_retry_takes_is_useful(
    api: Rest, runtime: Runtime
) -> None:
    batch_id = submit(runtime, "a")
    first = take_one(runtime)
    record(runtime, first, Accepted("task-1", 200))
    deliver(runtime, first.submission, failure("5"))
    with runtime.database.transaction() as connection:
        connection.execute(text("UPDATE jobs SET due_at = created_at"))
    second = take_one(runtime)
    deliver(runtime, second.submission, success("x", charge="0.5"))
    other = submit(runtime, "b")
    (late,) = take(runtime)
    api.post(f"/api/batches/batch_{other.hex}/cancel")
    deliver(runtime, late.submission, success("x", charge="0.25"))
    assert str(batch(runtime, other).costs.late) == "0.250000000"
    api.post(f"/api/batches/batch_{other.hex}/retry")
    assert (batch(runtime, other).costs.late, str(batch(runtime, other).costs.useful)) == (0, "0.250000000")
    assert str(batch(runtime, batch_id).costs.useful) == "0.500000000"


def test_an_upgrade_finds_out_what_was_in_vain_before(database_url: str, api: Rest, runtime: Runtime) -> None:
    shown = api.submit("failed", max_attempts=1)["id"]
    deliver(runtime, take_one(runtime).submission, unrecognised())
    batch_id = read("batch", shown)
    before = batch(runtime, batch_id)
    with runtime.database.transaction() as connection:
        for name in ("late_nano", "duplicate_nano", "failed_nano"):
            connection.execute(text(f"ALTER TABLE batch_figures DROP COLUMN {name}"))
        connection.execute(text("DROP INDEX ix_batches_budgeted"))
        connection.execute(text("ALTER TABLE batches DROP COLUMN budget_nano"))
        connection.execute(text("DROP TABLE breakers"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0002_figures_and_removal'"))
    runner.upgrade(runtime.database, "0003_brakes")
    with runtime.database.transaction() as connection:  # what came later was never undone
        connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": schema.HEAD})
    assert batch(runtime, batch_id) == before
    assert str(before.costs.failed) == "0.000200000"
