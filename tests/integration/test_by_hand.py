"""By hand: an operator marks a job failed or writes its answer; what comes afterwards finds its place."""

import hashlib
from uuid import UUID

import pytest
from sqlalchemy import select

from app.errors import Conflict, InvalidInput, NotFound
from app.ids import new_id
from app.models import audit_events, job_results
from app.providers.base import Accepted
from app.runtime import Runtime
from app.services import batches, byhand, reparse, results, verification
from app.services.audit import By
from app.store import figures
from tests.factories import (
    attempt_states,
    batch,
    counts,
    deliver,
    inbox_rows,
    job,
    outcomes,
    record,
    side_by_side,
    submit,
    sweep,
    take_one,
)
from tests.fakes import failure, success, unrecognised

BY = By("operator", "seen at the provider")


def job_id(runtime: Runtime, batch_id: UUID) -> UUID:
    return job(runtime, batch_id).job.id


def audited(runtime: Runtime) -> list[tuple[str, str, str | None]]:
    with runtime.database.reading() as connection:
        rows = connection.execute(select(audit_events).order_by(audit_events.c.id)).all()
    return [(row.actor, row.action, row.details.get("reason")) for row in rows if row.action.startswith("job.")]


def assert_figures_are_right(runtime: Runtime, batch_id: UUID) -> None:
    with runtime.database.reading() as connection:
        assert figures.drift(connection, batch_id) == {}


# --- an answer ---


@pytest.mark.parametrize("stage", ["queued", "submitting", "waiting", "failed", "cancelled"])
def test_a_job_that_has_no_answer_is_completed_with_the_one_that_is_written(runtime: Runtime, stage: str) -> None:
    batch_id = submit(runtime, "a", max_attempts=1)
    if stage != "queued":
        claimed = take_one(runtime)
    if stage in {"waiting", "failed"}:
        record(runtime, claimed, Accepted("task-1", 200))
    if stage == "failed":
        deliver(runtime, claimed.submission, failure("9"))
    if stage == "cancelled":
        batches.cancel(runtime, None, batch_id)
    assert job(runtime, batch_id).job.state == stage
    byhand.complete(runtime, job_id(runtime, batch_id), "  the answer\n", BY)
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.error_code) == ("completed", None)
    assert found.result is not None
    assert (found.result.text, found.result.source) == ("  the answer\n", "operator")
    assert audited(runtime) == [("operator", "job.complete", "seen at the provider")]
    assert counts(runtime, batch_id) == {"completed": 1}
    assert batch(runtime, batch_id).finalized_at is not None
    assert_figures_are_right(runtime, batch_id)


def test_what_was_written_is_kept_in_the_inbox_and_named_by_its_hash(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    byhand.complete(runtime, job_id(runtime, batch_id), "the answer", BY)
    rows = {row.source: row for row in inbox_rows(runtime)}
    kept = rows["operator"]
    with runtime.database.reading() as connection:
        stored = connection.execute(select(job_results)).one()
    assert (bytes(kept.body), kept.outcome) == (b"the answer", "applied")
    assert (stored.callback_id, stored.source_sha256) == (kept.id, hashlib.sha256(b"the answer").hexdigest())
    assert outcomes(job(runtime, batch_id)) == ["applied"]


def test_an_answer_that_comes_later_is_late_and_was_paid_for_in_vain(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    record(runtime, claimed, Accepted("task-1", 200))
    byhand.complete(runtime, job_id(runtime, batch_id), "mine", BY)
    assert str(batch(runtime, batch_id).cost) == "0E-9"
    for _ in range(2):
        deliver(runtime, claimed.submission, success("theirs", charge="0.5"))
    found = job(runtime, batch_id)
    assert found.result is not None
    assert (found.result.text, attempt_states(found)) == ("mine", ["superseded"])
    assert [(row.source, row.outcome, row.times) for row in inbox_rows(runtime)] == [
        ("operator", "applied", 1),
        ("callback", "late", 2),
    ]
    after = batch(runtime, batch_id)
    assert (str(after.costs.duplicate), str(after.costs.useful)) == ("0.500000000", "0E-9")
    assert (after.late, after.duplicates) == (1, 1)
    assert_figures_are_right(runtime, batch_id)


def test_an_answer_is_never_replaced(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    byhand.complete(runtime, job_id(runtime, batch_id), "mine", BY)
    with pytest.raises(Conflict, match="never replaced"):
        byhand.complete(runtime, job_id(runtime, batch_id), "another", BY)
    assert len(inbox_rows(runtime)) == 1


def test_two_operators_at_once_write_one_answer(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    target = job_id(runtime, batch_id)

    def write(text: str) -> str:
        try:
            byhand.complete(runtime, target, text, BY)
        except Conflict:
            return "refused"
        return text

    done = side_by_side(lambda: write("one"), lambda: write("two"))
    found = job(runtime, batch_id).result
    assert found is not None
    assert sorted(done) == sorted(["refused", found.text])


def test_a_job_of_a_batch_that_has_ended_is_completed_and_its_figures_follow(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a", "b", max_attempts=1)
    batches.cancel(runtime, None, batch_id)
    ended = batch(runtime, batch_id).finalized_at
    byhand.complete(runtime, job_id(runtime, batch_id), "mine", BY)
    sweep(runtime)
    assert (counts(runtime, batch_id), batch(runtime, batch_id).finalized_at) == (
        {"completed": 1, "cancelled": 1},
        ended,
    )
    assert verification.verify(runtime, None, batch_id)
    assert [line.result.text for line in results.stream(runtime, None, batch_id).lines if line.result] == ["mine"]


@pytest.mark.parametrize("text", ["", " \n", "a\x00b", "x" * 200_001])
def test_what_is_no_answer_completes_nothing(runtime: Runtime, text: str) -> None:
    batch_id = submit(runtime, "a")
    limited = runtime.settings.model_copy(update={"max_callback_bytes": 200_000})
    object.__setattr__(runtime, "settings", limited)
    with pytest.raises(InvalidInput):
        byhand.complete(runtime, job_id(runtime, batch_id), text, BY)
    assert (counts(runtime, batch_id), inbox_rows(runtime)) == ({"queued": 1}, [])


def test_whoever_acts_by_hand_says_why_and_names_a_job(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    for act in (
        lambda by, id_: byhand.complete(runtime, id_, "x", by),
        lambda by, id_: byhand.mark_failed(runtime, id_, by),
    ):
        with pytest.raises(InvalidInput, match="Say why"):
            act(By("operator"), job_id(runtime, batch_id))
        with pytest.raises(NotFound):
            act(BY, new_id())
    assert counts(runtime, batch_id) == {"queued": 1}


# --- a failure ---


def test_a_job_that_is_marked_failed_ends_with_the_reason_for_its_owner(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    record(runtime, claimed, Accepted("task-1", 200))
    byhand.mark_failed(runtime, job_id(runtime, batch_id), BY)
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.error_code, found.job.error_message) == (
        "failed",
        "marked_failed",
        "seen at the provider",
    )
    assert (attempt_states(found), audited(runtime)) == (
        ["cancelled"],
        [("operator", "job.fail", "seen at the provider")],
    )
    assert batch(runtime, batch_id).status == "completed"
    with pytest.raises(Conflict, match="over"):
        byhand.mark_failed(runtime, job_id(runtime, batch_id), BY)
    assert_figures_are_right(runtime, batch_id)


def test_an_answer_that_comes_after_a_job_was_marked_failed_completes_it_once(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    record(runtime, claimed, Accepted("task-1", 200))
    byhand.mark_failed(runtime, job_id(runtime, batch_id), BY)
    for _ in range(2):
        deliver(runtime, claimed.submission, success("after all"))
    found = job(runtime, batch_id)
    assert (found.job.state, attempt_states(found), outcomes(found)) == ("completed", ["completed"], ["applied"])
    assert_figures_are_right(runtime, batch_id)


def test_a_job_that_was_marked_failed_is_tried_again_by_a_retry(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    byhand.mark_failed(runtime, job_id(runtime, batch_id), BY)
    assert batches.retry(runtime, None, batch_id, None).queued == 1
    deliver(runtime, take_one(runtime).submission, success("x"))
    assert counts(runtime, batch_id) == {"completed": 1}


# --- read again ---


def test_one_job_is_read_again_and_no_other(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    batch_id = submit(runtime, "a")
    deliver(runtime, take_one(runtime).submission, unrecognised())
    target = job_id(runtime, batch_id)
    report = reparse.reparse_job(runtime, target, BY)
    assert (report.read, report.completed) == (1, 0)
    fake = runtime.providers["hive_v2"]
    monkeypatch.setattr(fake, "read", lambda _: fake._real.read(success("understood")))  # type: ignore[attr-defined]  # the fake's
    assert reparse.reparse_job(runtime, target, BY).completed == 1
    assert reparse.reparse_job(runtime, target, BY).read == 0
    found = job(runtime, batch_id)
    assert found.result is not None
    assert (found.result.text, found.result.source) == ("understood", "reparse")
    with pytest.raises(NotFound):
        reparse.reparse_job(runtime, new_id(), BY)
