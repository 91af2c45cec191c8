"""Reparse: a body in which no text was recognised is read again by a better reader, and nothing is paid again."""

import json
from dataclasses import replace
from uuid import UUID

import pytest
from click.testing import CliRunner
from freezegun.api import FrozenDateTimeFactory
from sqlalchemy import select

from app.cli import hivebatch
from app.errors import NotFound
from app.ids import new_id, show
from app.models import audit_events, job_results
from app.providers.base import Answer, Failure, Reading
from app.runtime import Runtime
from app.services import batches, callbacks, reparse
from app.services.audit import By
from app.services.views import ReparseReport
from app.tokens import CallbackSubject
from tests.factories import (
    attempt_states,
    batch,
    counts,
    deliver,
    drain,
    inbox_rows,
    interposed,
    job,
    outcomes,
    side_by_side,
    states,
    submit,
    take,
)
from tests.fakes import FakeProvider, failure, success, unrecognised


class Learned(FakeProvider):
    """A provider whose reader has learned where the text of an unrecognised body is."""

    def read(self, body: bytes) -> Reading:
        reading = super().read(body)
        if isinstance(reading, Failure) and reading.code == "text_not_recognised":
            (entry,) = json.loads(body)["status"]
            return Answer(reading.origin, entry["response"]["blob"], reading.cost_nano)
        return reading


@pytest.fixture
def learned(runtime: Runtime) -> Runtime:
    """The same service, after an upgrade."""
    return replace(runtime, providers={"hive_v2": Learned()})


@pytest.fixture
def batch_id(runtime: Runtime, provider: FakeProvider) -> UUID:
    """A finished batch: nobody could read its first answer, the second is fine, the third task failed."""
    found = submit(runtime, "a", "b", "c", max_attempts=1)
    for claimed, body in zip(take(runtime), [unrecognised(), success("fine"), failure("9")], strict=True):
        deliver(runtime, claimed.submission, body)
    return found


def run(runtime: Runtime, batch_id: UUID | None = None, *, is_dry_run: bool = False) -> ReparseReport:
    return reparse.reparse(runtime, batch_id, by=By("cli"), is_dry_run=is_dry_run)


def audited(runtime: Runtime) -> list[int]:
    """How many jobs each reparse that the audit log knows has completed."""
    with runtime.database.reading() as connection:
        rows = connection.execute(select(audit_events).where(audit_events.c.action == "batch.reparse")).all()
    return [row.details["completed"] for row in rows]


def test_a_better_reader_completes_the_job_once_and_pays_nothing(
    runtime: Runtime, learned: Runtime, clock: FrozenDateTimeFactory, batch_id: UUID
) -> None:
    before, cost = batch(runtime, batch_id), batch(runtime, batch_id).cost
    assert counts(runtime, batch_id) == {"completed": 1, "failed": 2}
    clock.tick(3600)
    assert [run(learned), run(learned)] == [ReparseReport(1, 1), ReparseReport(0, 0)]
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.error_code, attempt_states(found)) == ("completed", None, ["completed"])
    assert found.result is not None
    assert (found.result.text, found.result.source, outcomes(found)) == ("??", "reparse", ["applied"])
    after = batch(runtime, batch_id)
    assert counts(runtime, batch_id) == {"completed": 2, "failed": 1}
    assert (after.cost, after.retries, after.finalized_at) == (cost, before.retries, before.finalized_at)
    assert audited(runtime) == [1]


def test_the_result_carries_the_hash_of_the_stored_body(runtime: Runtime, learned: Runtime, batch_id: UUID) -> None:
    run(learned, batch_id)
    with runtime.database.reading() as connection:
        stored = connection.execute(select(job_results).where(job_results.c.source == "reparse")).one()
    (row,) = [row for row in inbox_rows(runtime) if row.job_id == stored.job_id]
    assert (stored.source_sha256, stored.callback_id) == (row.sha256, row.id)


def test_a_dry_run_counts_and_changes_nothing(runtime: Runtime, learned: Runtime, batch_id: UUID) -> None:
    before = batch(runtime, batch_id), job(runtime, batch_id)
    assert run(learned, is_dry_run=True) == ReparseReport(1, 1)
    assert (batch(runtime, batch_id), job(runtime, batch_id)) == before
    assert audited(runtime) == []


def test_what_still_can_not_be_read_stays_as_it_is(runtime: Runtime, batch_id: UUID) -> None:
    assert run(runtime) == ReparseReport(1, 0)
    assert job(runtime, batch_id).job.error_code == "text_not_recognised"


def test_only_the_batch_that_is_named_is_read(runtime: Runtime, learned: Runtime, batch_id: UUID) -> None:
    other = submit(runtime, "d")
    (claimed,) = take(runtime)
    deliver(runtime, claimed.submission, unrecognised())
    assert run(learned, other) == ReparseReport(1, 1)
    assert (states(runtime, other), states(runtime, batch_id)[0]) == (["completed"], "failed")
    with pytest.raises(NotFound):
        run(learned, new_id())


def test_orphans_and_conflicts_are_left_alone(runtime: Runtime, learned: Runtime, provider: FakeProvider) -> None:
    batch_id = submit(runtime, "a")
    drain(runtime)
    deliver(runtime, provider.submissions[0], unrecognised(task_id="another"))
    deliver(runtime, provider.submissions[0], failure("9"))
    callbacks.receive(runtime, runtime.signer.sign(CallbackSubject(new_id(), new_id())), unrecognised())
    before = [(row.id, row.outcome) for row in inbox_rows(runtime)]
    assert run(learned) == ReparseReport(0, 0)
    assert [(row.id, row.outcome) for row in inbox_rows(runtime)] == before
    assert states(runtime, batch_id) == ["failed"]


def test_many_are_read_in_chunks(runtime: Runtime, learned: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    batch_id = submit(runtime, *["a"] * 5)
    for claimed in take(runtime):
        deliver(runtime, claimed.submission, unrecognised())
    monkeypatch.setattr(reparse, "CHUNK", 2)
    assert run(learned) == ReparseReport(5, 5)
    assert (counts(runtime, batch_id), audited(runtime)) == ({"completed": 5}, [2, 2, 1])


def test_two_at_once_complete_each_job_once(runtime: Runtime, learned: Runtime, batch_id: UUID) -> None:
    reports = side_by_side(lambda: run(learned), lambda: run(learned))
    assert sum(report.completed for report in reports) == 1
    assert (counts(runtime, batch_id), audited(runtime)) == ({"completed": 2, "failed": 1}, [1])


def test_a_job_that_is_retried_while_it_is_read_is_left_to_its_retry(
    runtime: Runtime, learned: Runtime, batch_id: UUID
) -> None:
    raced = interposed(learned, before={1: lambda: batches.retry(runtime, None, batch_id, ["job-0"])})
    assert run(raced) == ReparseReport(1, 0)
    assert states(runtime, batch_id)[0] == "queued"


def test_the_command_says_what_it_did(runtime: Runtime, batch_id: UUID) -> None:
    variables = {
        "HIVEBATCH_DATABASE_URL": runtime.settings.resolved_database_url,
        "HIVEBATCH_SECRET_KEY": runtime.settings.secret_keys[0],
    }
    done = CliRunner(env=variables).invoke(hivebatch, ["reparse", "--batch", show("batch", batch_id), "--dry-run"])
    assert done.stdout == "Jobs without a recognised text: 1; could be completed: 0.\n"
