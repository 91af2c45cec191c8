"""Fallbacks: while a provider is out of order, its queued jobs go where their batch says, and only those."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory

from app import create_app
from app.clock import now
from app.errors import InvalidInput
from app.providers.base import Accepted, Unknown
from app.runtime import Runtime
from app.services import breakers, claims, keys, pausing, submission, why
from app.services.brakes import ECHO_FAILED, SILENCE
from app.services.fallbacks import OUT_OF_ORDER
from app.store import holds
from tests.conftest import MakeRuntime
from tests.factories import attempt_states, deliver, drain, held, job, record, states, sweep, take_one
from tests.fakes import success
from tests.integration.conformance import checked_client
from tests.integration.rest import Rest, body_of
from tests.twins import submit, with_second

HIVE = "hive_v2"


@pytest.fixture
def both(make_runtime: MakeRuntime, tmp_path: Path) -> Runtime:
    return with_second(make_runtime, tmp_path)


def fall_back(runtime: Runtime, number: int = 1) -> UUID:
    """A batch for V2 that falls back on the other."""
    return submit(runtime, HIVE, number, fallback_provider="second")


def hold(runtime: Runtime, reason: str, seconds: float | None = None) -> None:
    """V2 is held for this reason, for so long or until somebody lifts it."""
    until = None if seconds is None else now() + timedelta(seconds=seconds)
    row = {"scope": "provider", "scope_id": HIVE, "reason": reason, "message": "?", "since": now(), "until": until}
    with runtime.database.transaction() as connection:
        holds.place(connection, row | {"placed_by": "tests"})


def lift(runtime: Runtime, reason: str) -> None:
    with runtime.database.transaction() as connection:
        holds.lift(connection, "provider", HIVE, reason)


def sent_to(runtime: Runtime, batch_id: UUID, custom_id: str = "job-0") -> Sequence[str]:
    """The provider of each attempt of a job."""
    return [attempt.provider for attempt in job(runtime, batch_id, custom_id).attempts]


# --- when ---


@pytest.mark.parametrize("reason", sorted(OUT_OF_ORDER))
def test_what_is_queued_for_a_provider_out_of_order_goes_to_the_other(both: Runtime, reason: str) -> None:
    batch_id = fall_back(both)
    hold(both, reason)
    assert sweep(both).due_providers == (("hive_v2", "second") if reason == SILENCE else ("second",))
    submission.drain(both, "second")
    found = job(both, batch_id)
    assert (found.job.state, sent_to(both, batch_id)) == ("waiting", ["second"])
    deliver(both, both.providers["second"].submissions[0], success("hi"))  # type: ignore[attr-defined]  # a fake
    assert states(both, batch_id) == ["completed"]


@pytest.mark.parametrize("reason", ["rate_limited", "unreachable"])
def test_one_that_only_asks_for_patience_keeps_its_jobs(both: Runtime, reason: str) -> None:
    batch_id = fall_back(both)
    hold(both, reason, 60)
    assert sweep(both).due_providers == ()
    submission.drain(both, "second")
    assert states(both, batch_id) == ["queued"]


def test_one_that_works_keeps_its_jobs(both: Runtime) -> None:
    batch_id = fall_back(both)
    submission.drain(both, "second")
    assert states(both, batch_id) == ["queued"]


def test_a_batch_that_names_no_other_waits(both: Runtime) -> None:
    falling, staying = fall_back(both), submit(both, HIVE)
    hold(both, "key_refused")
    submission.drain(both, "second")
    assert (states(both, falling), states(both, staying)) == (["waiting"], ["queued"])


def test_a_paused_batch_waits_with_the_other_too(both: Runtime) -> None:
    batch_id = fall_back(both)
    pausing.pause(both, "alice", batch_id, "not now")
    hold(both, "key_refused")
    submission.drain(both, "second")
    assert states(both, batch_id) == ["queued"]


def test_an_other_that_is_held_takes_nothing(both: Runtime) -> None:
    batch_id = fall_back(both)
    hold(both, "key_refused")
    with both.database.transaction() as connection:
        row = {"scope": "provider", "scope_id": "second", "reason": "rate_limited", "message": "?", "since": now()}
        holds.place(connection, row | {"until": None, "placed_by": "tests"})
    submission.drain(both, "second")
    assert states(both, batch_id) == ["queued"]


def test_the_others_own_jobs_go_first(both: Runtime) -> None:
    falling, own = fall_back(both), submit(both, "second")
    hold(both, "key_refused")
    (first,) = claims.claim(both, "second", 10, is_idle=True)
    (then,) = claims.claim(both, "second", 10, is_idle=False)
    assert [first.batch_id, then.batch_id] == [own, falling]


def test_while_a_silent_provider_is_tried_with_one_job_the_other_has_the_rest(both: Runtime) -> None:
    batch_id = fall_back(both, 5)
    hold(both, SILENCE)
    drain(both)
    submission.drain(both, "second")
    assert sorted(sent_to(both, batch_id, f"job-{number}")[0] for number in range(5)) == [HIVE, *["second"] * 4]


def test_while_a_breaker_is_tried_with_one_job_the_other_has_the_rest(
    both: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = fall_back(both, 30)
    for claimed in claims.claim(both, HIVE, 10, is_idle=True):
        record(both, claimed, Unknown("http_503", "?", 503))
    clock.tick(10)
    assert held(both) == ()
    assert len(claims.claim(both, HIVE, 10, is_idle=True)) == 1
    submission.drain(both, "second")
    assert states(both, batch_id).count("queued") == 0


def test_when_it_works_again_it_has_its_jobs_again(both: Runtime) -> None:
    batch_id = fall_back(both)
    hold(both, ECHO_FAILED)
    lift(both, ECHO_FAILED)
    submission.drain(both, "second")
    assert states(both, batch_id) == ["queued"]
    drain(both)
    assert sent_to(both, batch_id) == [HIVE]


def test_the_jobs_of_one_that_is_gone_go_to_the_other(both: Runtime, make_runtime: MakeRuntime) -> None:
    batch_id = submit(both, "second", fallback_provider=HIVE)
    without = make_runtime()  # without the file: providers of one installation, V2 alone
    drain(without)
    assert sent_to(without, batch_id) == [HIVE]


# --- nothing twice ---


def test_a_job_whose_submit_may_have_been_accepted_stays_until_its_grace_is_over(
    both: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = fall_back(both)
    record(both, take_one(both), Unknown("http_503", "?", 503))
    hold(both, breakers.REASON)
    submission.drain(both, "second")
    assert sent_to(both, batch_id) == [HIVE]
    clock.tick(31)
    sweep(both)
    clock.tick(10)
    submission.drain(both, "second")
    assert (sent_to(both, batch_id), attempt_states(job(both, batch_id))) == (
        [HIVE, "second"],
        ["timed_out", "waiting"],
    )


def test_a_job_that_was_accepted_stays(both: Runtime) -> None:
    batch_id = fall_back(both)
    record(both, take_one(both), Accepted("task-1", 200))
    hold(both, SILENCE)
    submission.drain(both, "second")
    assert sent_to(both, batch_id) == [HIVE]


def test_the_first_answer_wins_whoever_gives_it(both: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = fall_back(both)
    first = take_one(both)
    record(both, first, Unknown("http_503", "?", 503))
    hold(both, "key_refused")
    clock.tick(31)
    sweep(both)
    clock.tick(10)
    submission.drain(both, "second")
    deliver(both, first.submission, success("of the first"))
    found = job(both, batch_id)
    assert found.result is not None
    assert (found.job.state, found.result.text, attempt_states(found)) == (
        "completed",
        "of the first",
        ["completed", "superseded"],
    )


# --- what can be seen ---


def test_why_names_both(both: Runtime) -> None:
    batch_id = fall_back(both)
    sweep(both)
    hold(both, "key_refused")
    (reason,) = why.batch(both, "alice", batch_id)
    assert (reason.code, reason.message) == (
        "key_refused",
        "The provider is held (tests): ? Until that ends, second takes its jobs.",
    )
    submission.drain(both, "second")
    (reason,) = why.batch(both, "alice", batch_id)
    assert (reason.code, reason.message) == (
        "waiting_for_callback",
        "second has it; its callback has not come yet.",
    )


@pytest.fixture
def api(both: Runtime) -> Rest:
    client: FlaskClient = checked_client(create_app(both))
    return Rest(client, keys.create(both, "alice", "tests").secret)


def test_a_batch_shows_its_fallback_and_a_job_whom_each_attempt_went_to(both: Runtime, api: Rest) -> None:
    made = api.submit("a", fallback_provider="second")
    assert (made["provider"], made["fallback_provider"]) == (HIVE, "second")
    hold(both, "key_refused")
    submission.drain(both, "second")
    (listed,) = body_of(api.get(f"/api/batches/{made['id']}/jobs"))["items"]
    detail = body_of(api.get(f"/api/jobs/{listed['id']}"))
    assert [attempt["provider"] for attempt in detail["attempts"]] == ["second"]
    assert api.submit("a")["fallback_provider"] is None


# --- what is refused ---


@pytest.mark.parametrize(("name", "words"), [("nobody", "known: hive_v2, second"), (HIVE, "another provider")])
def test_it_has_to_be_another_that_there_is(both: Runtime, name: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        submit(both, HIVE, fallback_provider=name)
    (problem,) = refused.value.problems
    assert (problem.pointer, problem.value) == ("/fallback_provider", name)
    assert words in problem.message
