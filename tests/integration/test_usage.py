"""What the answers of a batch took is kept as they come, and counted once where a version before did not."""

import json
from uuid import UUID

import pytest
from sqlalchemy import text

from app.runtime import Runtime
from app.services import batches, creation, finalizing, usage
from app.services.views import NewBatch, NewJob, UsageView
from app.store import usage as usage_rows
from tests.factories import deliver, submit, take
from tests.fakes import success

TOLD = {"prompt_tokens": 3, "completion_tokens": 4, "completion_tokens_details": {"reasoning_tokens": 1}}


def answer(told: object) -> bytes:
    body = json.loads(success())
    body["status"][0]["response"]["usage"] = told
    return json.dumps(body).encode()


@pytest.fixture
def batch_id(runtime: Runtime) -> UUID:
    """Ended, with three answers, two of which tell what they took."""
    found = submit(runtime, "a", "b", "c")
    for claimed, told in zip(take(runtime), (TOLD, {"prompt_tokens": "3"}, TOLD), strict=True):
        deliver(runtime, claimed.submission, answer(told))
    return found


SUMS = UsageView(None, 2, 6, 8, 0, 2)


def kept(runtime: Runtime, batch_id: UUID) -> object:
    with runtime.database.reading() as connection:
        return usage_rows.kept(connection, batch_id)


def counted(runtime: Runtime, batch_id: UUID) -> object:
    with runtime.database.reading() as connection:
        return usage_rows.counted(connection, batch_id)


def test_what_answers_took_is_kept_before_and_after_the_fold(runtime: Runtime, batch_id: UUID) -> None:
    for _ in range(2):
        assert usage.of_batch(runtime, batch_id) == SUMS
        assert kept(runtime, batch_id) == counted(runtime, batch_id)
        finalizing.settle(runtime)


def test_a_late_answer_is_counted_too(runtime: Runtime) -> None:
    found = submit(runtime, "a")
    (claimed,) = take(runtime)
    batches.cancel(runtime, "alice", found)
    deliver(runtime, claimed.submission, answer(TOLD))
    assert usage.of_batch(runtime, found).told == 0
    batches.retry(runtime, "alice", found, None)
    assert usage.of_batch(runtime, found) == UsageView(None, 1, 3, 4, 0, 1)


def test_a_batch_of_a_version_before_is_counted_once_and_then_kept(runtime: Runtime, batch_id: UUID) -> None:
    with runtime.database.transaction() as connection:
        connection.execute(text("UPDATE batch_figures SET told = NULL, input_tokens = NULL"))
        connection.execute(text("UPDATE batches SET models = NULL"))
    finalizing.settle(runtime)
    assert kept(runtime, batch_id) is None
    assert usage.of_batch(runtime, batch_id) == SUMS
    assert kept(runtime, batch_id) == counted(runtime, batch_id)


@pytest.mark.parametrize(("models", "model"), [(["x"] * 3, "x"), (["x", "y", "x"], None), ([None] * 3, None)])
def test_the_model_is_named_if_all_jobs_ask_for_the_same(
    runtime: Runtime, models: list[str | None], model: str | None
) -> None:
    jobs = [NewJob(f"job-{number}", "a", {"model": each} if each else {}) for number, each in enumerate(models)]
    found = creation.create(runtime, NewBatch(owner="alice"), jobs).batch.id
    assert usage.of_batch(runtime, found).model == model
