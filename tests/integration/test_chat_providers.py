"""Providers that answer at once: V3 and its like, beside V2, from the same jobs by the same rules."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory

from app.clock import now
from app.errors import InvalidInput
from app.runtime import Runtime
from app.sandbox import answer_for
from app.services import batches, creation, health, installation
from app.services.views import NewBatch, NewJob
from tests.chats import LLAMA, assert_sound, chatting, drain
from tests.factories import attempt_states, batch, held, inbox_rows, interposed, job, outcomes, states, sweep
from tests.senders import SENDERS, skip_if_missing

MakeChats = Callable[..., Runtime]


@pytest.fixture(params=SENDERS)
def make_chats(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[MakeChats]:
    """Makes runtimes with V3 and a streaming server, both of them a sandbox that is calm."""
    skip_if_missing(request.param)
    with ExitStack() as opened:

        def make(**sandbox: Any) -> Runtime:
            return opened.enter_context(chatting(database_url, tmp_path, request.param, **sandbox))

        yield make


@pytest.fixture
def chats(make_chats: MakeChats) -> Runtime:
    return make_chats()


def submit(runtime: Runtime, *texts: str, provider: str | None = "hive_v3", **options: object) -> Any:
    new = NewBatch(owner="alice", provider=provider, options=options)
    jobs = [NewJob(f"job-{number}", text, {}) for number, text in enumerate(texts)]
    return creation.create(runtime, new, jobs).batch.id


@pytest.mark.parametrize("provider", ["hive_v3", "local"])
def test_an_answer_to_the_submit_completes_its_job_at_once(chats: Runtime, provider: str) -> None:
    batch_id = submit(chats, "List three rivers", provider=provider, system_prompt="Be brief")
    drain(chats, provider)
    found = job(chats, batch_id)
    assert found.result is not None
    assert (found.result.text, found.result.source) == (answer_for("List three rivers", "Be brief"), "response")
    assert found.result.details["usage"]["total_tokens"] > 0
    [attempt] = found.attempts
    assert (found.job.state, attempt.state, attempt.provider, attempt.http_status) == (
        "completed",
        "completed",
        provider,
        200,
    )
    assert attempt.sent_at is not None
    assert attempt.provider_task_id is not None
    assert attempt.provider_task_id.startswith("chatcmpl-")
    assert batch(chats, batch_id).status == "completed"
    [kept] = inbox_rows(chats)
    assert (kept.source, kept.provider, kept.outcome) == ("response", provider, "applied")
    assert_sound(chats)


def test_many_jobs_are_answered_each_with_its_own(chats: Runtime) -> None:
    texts = [f"question {number}" for number in range(30)]
    batch_id = submit(chats, *texts)
    drain(chats)
    found = [job(chats, batch_id, f"job-{number}").result for number in range(30)]
    assert [each and each.text for each in found] == [answer_for(text, None) for text in texts]
    assert_sound(chats)


def test_null_content_completes_a_job_without_text(chats: Runtime) -> None:
    batch_id = submit(chats, "x [[sandbox null_content]]")
    drain(chats)
    result = job(chats, batch_id).result
    assert result is not None
    assert (result.text, result.details["finish_reason"]) == ("", "length")


def test_a_failed_task_is_tried_again(chats: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(chats, "x [[sandbox fail=5 times=1]]")
    drain(chats)
    found = job(chats, batch_id)
    assert (found.job.state, attempt_states(found), outcomes(found)) == ("queued", ["failed"], ["applied"])
    clock.tick(10)
    drain(chats)
    assert attempt_states(job(chats, batch_id)) == ["failed", "completed"]
    assert_sound(chats)


def test_an_answer_that_was_lost_is_unknown_for_the_providers_own_grace(
    chats: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(chats, "x [[sandbox reset times=1]]", provider="local")
    drain(chats, "local")
    found = job(chats, batch_id)
    assert (found.job.state, attempt_states(found)) == ("waiting", ["unknown"])
    assert found.job.due_at == now() + timedelta(seconds=7)
    clock.tick(8)
    sweep(chats)
    clock.tick(100)
    drain(chats, "local")
    assert attempt_states(job(chats, batch_id)) == ["timed_out", "completed"]
    assert_sound(chats)


@pytest.mark.parametrize("provider", ["hive_v3", "local"])
def test_an_answer_that_nobody_can_read_is_kept_and_unknown(chats: Runtime, provider: str) -> None:
    batch_id = submit(chats, "x [[sandbox malformed times=1]]", provider=provider)
    drain(chats, provider)
    found = job(chats, batch_id)
    assert (found.job.state, found.attempts[0].error_code) == ("waiting", "unreadable_answer")
    assert outcomes(found) == ["invalid"]
    assert_sound(chats)


def test_a_key_that_is_refused_gives_way_to_the_other(make_chats: MakeChats) -> None:
    chats = make_chats(keys=frozenset({"new", "any"}))
    batch_id = submit(chats, "a", "b")
    drain(chats)
    assert states(chats, batch_id) == ["completed", "completed"]


def test_without_credit_the_provider_is_held_and_no_job_fails(make_chats: MakeChats) -> None:
    chats = make_chats(keys=frozenset({"any"}))
    batch_id = submit(chats, "a")
    drain(chats)
    assert states(chats, batch_id) == ["queued"]
    [hold] = held(chats)
    assert (hold.scope_id, hold.reason) == ("hive_v3", "key_refused")
    other = submit(chats, "a", provider="local")
    drain(chats, "local")
    assert states(chats, other) == ["completed"]


def test_a_cancelled_job_keeps_what_was_paid_as_late(chats: Runtime) -> None:
    batch_id = submit(chats, "a")

    def cancel_first() -> None:
        batches.cancel(chats, "alice", batch_id)

    drain(interposed(chats, before={2: cancel_first}))
    found = job(chats, batch_id)
    assert (found.job.state, outcomes(found)) == ("cancelled", ["late"])
    assert_sound(chats)


# --- which provider ---


def test_readiness_and_the_doctor_show_every_provider_and_no_key(chats: Runtime) -> None:
    shown = {each.name: each.kind for each in health.readiness(chats).providers}
    assert shown == {"hive_v2": "hive_v2", "hive_v3": "hive_v3", "local": "openai_chat"}
    [told] = [check.detail for check in installation.check(chats) if check.name == "providers"]
    assert "hive_v3 (hive_v3) at http://127.0.0.1:" in told
    assert "with 2 keys" in told
    assert "any" not in told


@pytest.mark.parametrize(
    ("provider", "model", "chosen"),
    [
        (None, None, "hive_v2"),
        (None, LLAMA, "hive_v3"),
        (None, "own/model", "local"),
        (None, "meta-llama/llama-3.1-8b-instruct", "hive_v3"),
        ("local", "meta-llama/llama-3.1-8b-instruct", "local"),
        (None, "hivebatch/hive_v2", "hive_v2"),
        ("local", None, "local"),
    ],
)
def test_a_name_or_a_model_chooses_the_provider(
    chats: Runtime, provider: str | None, model: str | None, chosen: str
) -> None:
    options = {} if model is None else {"model": model}
    assert batch(chats, submit(chats, "a", provider=provider, **options)).provider == chosen


def test_the_model_of_the_first_job_chooses_too(chats: Runtime) -> None:
    new = NewBatch(owner="alice")
    created = creation.create(chats, new, [NewJob("a", "a", {"model": "own/model"})])
    assert created.batch.provider == "local"


def test_a_job_of_another_provider_is_a_line_error(chats: Runtime) -> None:
    jobs = [NewJob("a", "a", {"model": LLAMA}), NewJob("b", "b", {"model": "own/model"}, pointer="/jobs/1")]
    with pytest.raises(InvalidInput) as refused:
        creation.create(chats, NewBatch(owner="alice"), jobs)
    assert [problem.pointer for problem in refused.value.problems] == ["/jobs/1/options/model"]


def test_each_provider_has_its_own_bounds(chats: Runtime) -> None:
    submit(chats, "a", provider="local", max_tokens=4096)
    with pytest.raises(InvalidInput, match="2048"):
        submit(chats, "a", max_tokens=4096)


def test_what_v2_can_not_be_told_is_refused_with_its_place(chats: Runtime) -> None:
    wanted = NewJob("a", "a", {"chat": {"response_format": {"type": "json_object"}}}, line=3, pointer="/body")
    with pytest.raises(InvalidInput) as refused:
        creation.create(chats, NewBatch(owner="alice", provider="hive_v2"), [wanted])
    assert [(problem.line, problem.pointer) for problem in refused.value.problems] == [(3, "/body/response_format")]
    created = creation.create(chats, NewBatch(owner="alice", provider="hive_v3"), [wanted])
    assert created.batch.provider == "hive_v3"


def test_an_unknown_model_is_refused_with_those_that_there_are(chats: Runtime) -> None:
    with pytest.raises(InvalidInput, match="own/model"):
        submit(chats, "a", provider=None, model="nobody/has-it")
