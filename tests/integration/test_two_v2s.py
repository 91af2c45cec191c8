"""Two providers that call back: every body is judged by, and learned of, the provider of its attempt."""

from pathlib import Path
from uuid import UUID

import pytest
from freezegun.api import FrozenDateTimeFactory

from app.clock import now
from app.runtime import Runtime
from app.services import batches, doctor, installation, submission, why
from tests.conftest import MakeRuntime
from tests.factories import deliver, inbox_rows, job, states, sweep
from tests.fakes import failure, success
from tests.learning import learning_from
from tests.twins import FILE, accepted, submit, with_second


@pytest.fixture
def both(make_runtime: MakeRuntime, tmp_path: Path) -> Runtime:
    return with_second(make_runtime, tmp_path)


@pytest.mark.parametrize(("provider", "state"), [("hive_v2", "queued"), ("second", "failed")])
def test_each_has_its_own_say_in_which_failures_are_for_good(both: Runtime, provider: str, state: str) -> None:
    (claimed,) = accepted(both, provider)
    deliver(both, claimed.submission, failure("5"))
    assert states(both, claimed.batch_id) == [state]
    assert [row.provider for row in inbox_rows(both)] == [provider]


@pytest.mark.parametrize("provider", ["hive_v2", "second"])
def test_a_late_body_is_its_providers_too(both: Runtime, provider: str) -> None:
    (claimed,) = accepted(both, provider)
    for text in ("one", "two"):
        deliver(both, claimed.submission, success(text))
    assert [(row.provider, row.outcome) for row in inbox_rows(both)] == [(provider, "applied"), (provider, "late")]


def test_a_time_out_is_learned_of_each_from_its_own_callbacks(both: Runtime, clock: FrozenDateTimeFactory) -> None:
    learning = learning_from(both)
    for provider, seconds in (("hive_v2", 2.0), ("second", 20.0)):
        answered(learning, clock, provider, seconds)
    assert 6 <= learning.learned["hive_v2"] < 12
    assert 60 <= learning.learned["second"] < 120


def test_what_stands_in_the_table_of_one_is_not_learned_over(
    make_runtime: MakeRuntime, tmp_path: Path, clock: FrozenDateTimeFactory
) -> None:
    fixed = with_second(make_runtime, tmp_path, FILE + "callback_timeout_seconds = 50\n")
    learning = learning_from(fixed)
    for provider in ("hive_v2", "second"):
        answered(learning, clock, provider, 2.0)
    assert set(learning.learned) == {"hive_v2"}
    (claimed,) = accepted(learning, "second")
    clock.tick(49)
    sweep(learning)
    assert states(learning, claimed.batch_id) == ["waiting"]
    clock.tick(2)
    sweep(learning)
    assert states(learning, claimed.batch_id) == ["queued"]
    (told,) = (each.detail for each in installation.check(learning) if each.name == "callbacks")
    assert "second: 99 of 100 callbacks come within" in told
    assert "they time out after 50.0 s, as set" in told


def answered(runtime: Runtime, clock: FrozenDateTimeFactory, provider: str, seconds: float) -> None:
    """More callbacks of this provider than are needed to learn from, which take so long."""
    found = accepted(runtime, provider, 101)
    clock.tick(seconds)
    for claimed in found:
        deliver(runtime, claimed.submission, success())
    clock.tick(1)
    sweep(runtime)


# --- one is taken out of the file ---


@pytest.fixture
def without(both: Runtime, make_runtime: MakeRuntime) -> Runtime:
    """The installation of `both`, as it runs without the file."""
    assert "second" in both.providers
    return make_runtime(max_in_flight=1000)


def assert_waits_for_second(runtime: Runtime, batch_id: UUID) -> None:
    submission.drain(runtime, "second")
    assert sweep(runtime).next_at > now(), "the sweep spins"
    assert states(runtime, batch_id) == ["queued"]
    (reason,) = why.job(runtime, "alice", job(runtime, batch_id).job.id)
    assert (reason.code, reason.ends) == ("settings", "the service runs with other settings")
    assert "no provider second any more" in reason.message


def test_the_jobs_of_one_that_is_gone_wait_for_it_and_go_on_when_it_is_back(both: Runtime, without: Runtime) -> None:
    batch_id = submit(both, "second")
    assert_waits_for_second(without, batch_id)
    submission.drain(both, "second")
    assert states(both, batch_id) == ["waiting"]


def test_what_one_that_is_gone_has_accepted_is_answered_as_ever(both: Runtime, without: Runtime) -> None:
    (claimed,) = accepted(both, "second")
    deliver(without, claimed.submission, success())
    assert states(without, claimed.batch_id) == ["completed"]
    assert [finding for finding in doctor.examine(without) if finding.violations] == []


def test_what_one_that_is_gone_never_answered_waits_for_it(
    both: Runtime, without: Runtime, clock: FrozenDateTimeFactory
) -> None:
    (claimed,) = accepted(both, "second")
    clock.tick(61)
    sweep(without)
    clock.tick(10)
    assert_waits_for_second(without, claimed.batch_id)


def test_a_batch_of_one_that_is_gone_can_be_cancelled_and_retried(both: Runtime, without: Runtime) -> None:
    batch_id = submit(both, "second")
    batches.cancel(without, "alice", batch_id)
    assert states(without, batch_id) == ["cancelled"]
    batches.retry(without, "alice", batch_id, None)
    assert_waits_for_second(without, batch_id)
