"""Silence: a provider that accepts tasks and answers none is not sent more, until it speaks or the way is mended."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from freezegun.api import FrozenDateTimeFactory

from app.providers.base import Finished, Unknown
from app.runtime import Runtime
from app.services import batches, holds, sweeps
from app.services.audit import By
from app.services.views import HoldView
from tests import learning
from tests.conftest import MakeRuntime
from tests.factories import PROVIDER, counts, deliver, drain, held, states, submit, sweep
from tests.fakes import FakeOutside, FakeProvider, failure, success, unrecognised
from tests.learning import learning_from

CALLBACK_TIMEOUT = 600.0
LONGEST = CALLBACK_TIMEOUT / 2


@pytest.fixture
def runtime(make_runtime: MakeRuntime) -> Runtime:
    return make_runtime(callback_timeout_seconds=CALLBACK_TIMEOUT, max_attempts=9)


def answered(runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory, took: float, tasks: int) -> None:
    """So many tasks, all called back after `took` seconds."""
    first = len(provider.submissions)
    submit(runtime, *["x"] * tasks)
    drain(runtime)
    clock.tick(took)
    for submitted in provider.submissions[first:]:
        deliver(runtime, submitted, success())


def unanswered(runtime: Runtime, tasks: int = 10) -> None:
    """So many tasks that the provider accepts."""
    submit(runtime, *["x"] * tasks)
    drain(runtime)


def silence(runtime: Runtime) -> HoldView | None:
    return next((hold for hold in held(runtime) if hold.reason == "silence"), None)


def fallen_silent(runtime: Runtime, clock: FrozenDateTimeFactory, tasks: int = 10) -> HoldView:
    """The hold of a provider that never answered."""
    unanswered(runtime, tasks)
    clock.tick(LONGEST + 1)
    sweep(runtime)
    hold = silence(runtime)
    assert hold is not None
    return hold


# --- when it is silence ---


def test_ten_tasks_without_an_answer_hold_the_provider(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    hold = fallen_silent(runtime, clock)
    assert (hold.scope, hold.scope_id, hold.placed_by, hold.until) == ("provider", PROVIDER, "watchdog", None)
    assert hold.ends == "an answer comes; one job at a time is let through to find out"
    assert hold.message == "10 tasks in a row, accepted more than 300 s ago, are not answered; none ever was"
    batch_id = submit(runtime, "one more")
    drain(runtime)
    assert states(runtime, batch_id) == ["queued"]


def test_nine_do_not(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    unanswered(runtime, 9)
    clock.tick(LONGEST + 1)
    sweep(runtime)
    assert silence(runtime) is None


@pytest.mark.parametrize(("took", "patience"), [(1, 60), (30, 90), (99, 297), (200, 300)])
def test_how_long_is_too_long_follows_from_what_callbacks_take(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory, took: int, patience: int
) -> None:
    answered(runtime, provider, clock, took, tasks=20)
    unanswered(runtime)
    clock.tick(patience - 1)
    sweep(runtime)
    assert silence(runtime) is None
    clock.tick(1)
    sweep(runtime)
    hold = silence(runtime)
    assert hold is not None
    assert hold.message.endswith(f"the last answer came {patience} s ago")


def test_one_slow_callback_in_a_hundred_does_not_make_it_patient(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    answered(runtime, provider, clock, 290, tasks=1)
    answered(runtime, provider, clock, 1, tasks=90)
    answered(runtime, provider, clock, 1, tasks=90)
    unanswered(runtime)
    clock.tick(60)
    sweep(runtime)
    assert silence(runtime) is not None


def test_it_never_waits_longer_than_half_of_a_short_callback_timeout(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    runtime = make_runtime(callback_timeout_seconds=20.0)
    unanswered(runtime)
    clock.tick(9)
    sweep(runtime)
    assert silence(runtime) is None
    clock.tick(1)
    sweep(runtime)
    assert silence(runtime) is not None


def test_half_of_a_learned_timeout_bounds_it_too(make_runtime: MakeRuntime, clock: FrozenDateTimeFactory) -> None:
    runtime = learning_from(make_runtime(max_in_flight=1000))
    learning.answered(runtime, clock, 5)
    half = runtime.learned[PROVIDER] / 2
    assert half < 10
    unanswered(runtime)
    clock.tick(half - 0.1)
    sweep(runtime)
    assert silence(runtime) is None
    clock.tick(0.2)
    sweep(runtime)
    assert silence(runtime) is not None


def test_a_task_that_is_answered_now_and_then_is_no_silence(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    unanswered(runtime, 30)
    for submitted in provider.submissions[:3]:
        clock.tick(LONGEST - 1)
        deliver(runtime, submitted, success())
        sweep(runtime)
        assert silence(runtime) is None


def test_lost_callbacks_among_answered_ones_are_no_silence(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    unanswered(runtime, 60)
    clock.tick(1)
    for submitted in provider.submissions[::2]:
        deliver(runtime, submitted, success())
    clock.tick(LONGEST + 1)
    sweep(runtime)
    assert silence(runtime) is None


def test_nothing_under_way_is_no_silence(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    answered(runtime, provider, clock, 1, tasks=20)
    clock.tick(timedelta(days=3))
    sweep(runtime)
    unanswered(runtime, 20)
    sweep(runtime)
    assert silence(runtime) is None


def test_submits_of_unknown_outcome_are_no_silence(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    provider.script.extend([Unknown("timed_out", "no answer")] * 20)
    unanswered(runtime, 20)
    clock.tick(LONGEST + 1)
    sweep(runtime)
    assert silence(runtime) is None


def test_tasks_that_their_owner_cancelled_are_no_silence(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    cancelled = submit(runtime, *["x"] * 10)
    drain(runtime)
    batches.cancel(runtime, None, cancelled)
    sweep(runtime)
    unanswered(runtime, 9)
    clock.tick(LONGEST + 1)
    sweep(runtime)
    assert silence(runtime) is None


def test_it_is_told_once_however_many_workers_see_it(
    runtime: Runtime, make_runtime: MakeRuntime, clock: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    fallen_silent(runtime, clock)
    for worker in (runtime, make_runtime(callback_timeout_seconds=CALLBACK_TIMEOUT), runtime):
        clock.tick(5)
        sweep(worker)
    warned = [(record.levelname, record.getMessage()) for record in caplog.records if "silent" in record.getMessage()]
    assert warned == [("WARNING", "provider_silent")]


# --- what ends it ---


@pytest.mark.parametrize("body", [success(), failure(), unrecognised(), b"not JSON"])
def test_any_callback_ends_it(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory, body: bytes
) -> None:
    fallen_silent(runtime, clock)
    batch_id = submit(runtime, "one more")
    clock.tick(1)
    deliver(runtime, provider.submissions[3], body)
    assert sweep(runtime).due_providers == (PROVIDER,)
    assert silence(runtime) is None
    drain(runtime)
    assert states(runtime, batch_id) == ["waiting"]


def test_receiving_goes_on_meanwhile(runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(runtime, *["x"] * 10)
    drain(runtime)
    clock.tick(LONGEST + 1)
    sweep(runtime)
    for submitted in provider.submissions:
        deliver(runtime, submitted, success())
    assert counts(runtime, batch_id) == {"completed": 10}


def test_while_tasks_are_under_way_nothing_more_is_submitted(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    fallen_silent(runtime, clock)
    submit(runtime, "one more")
    for _ in range(20):
        clock.tick(10)
        sweep(runtime)
        drain(runtime)
    assert len(provider.submissions) == 10


def timed_out(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    """Nothing is with the provider any more."""
    clock.tick(LONGEST)
    sweep(runtime)
    clock.tick(200)  # the longest backoff


def test_when_nothing_is_under_way_any_more_one_job_is_let_through(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    fallen_silent(runtime, clock)
    timed_out(runtime, clock)
    assert sweep(runtime).due_providers == (PROVIDER,)
    for _ in range(3):
        drain(runtime)
    assert len(provider.submissions) == 11
    clock.tick(2)
    deliver(runtime, provider.submissions[-1], success())
    sweep(runtime)
    drain(runtime)
    assert (silence(runtime), len(provider.submissions)) == (None, 20)


def test_if_that_one_is_not_answered_either_the_next_goes_after_its_deadline(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    fallen_silent(runtime, clock, tasks=40)
    timed_out(runtime, clock)
    for probes in range(1, 5):
        for _ in range(12):
            drain(runtime)
            clock.tick(CALLBACK_TIMEOUT / 12)
            assert len(provider.submissions) == 40 + probes
            sweep(runtime)
    assert silence(runtime) is not None


def test_two_workers_let_one_job_through_between_them(
    runtime: Runtime, make_runtime: MakeRuntime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    fallen_silent(runtime, clock)
    timed_out(runtime, clock)
    other = make_runtime(callback_timeout_seconds=CALLBACK_TIMEOUT)
    for worker in (runtime, other):
        drain(worker)
    second = other.providers[PROVIDER]
    assert isinstance(second, FakeProvider)
    assert len(provider.submissions) + len(second.submissions) == 11


def test_an_answer_that_was_asked_for_ends_it_too(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    provider.can_read_back = True
    provider.tasks = {f"task-{number}": Finished(success(f"{number}")) for number in range(1, 11)}
    fallen_silent(runtime, clock)
    clock.tick(LONGEST)
    sweep(runtime)
    sweep(runtime)
    assert silence(runtime) is None


def test_lifted_by_hand_it_does_not_come_back_for_the_same_tasks(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    fallen_silent(runtime, clock)
    holds.lift(runtime, "provider", PROVIDER, "silence", By("tests"))
    sweep(runtime)
    assert silence(runtime) is None
    clock.tick(1)
    unanswered(runtime)
    clock.tick(LONGEST + 1)
    sweep(runtime)
    assert silence(runtime) is not None


# --- when our own address was what was broken ---


Worker = tuple[Runtime, FakeOutside]


@pytest.fixture
def make_worker(runtime: Runtime, make_runtime: MakeRuntime) -> Callable[[], Worker]:
    """Makes a worker that has begun, and its way to the installation from outside; it shares `runtime`'s provider."""

    def make() -> Worker:
        outside = FakeOutside()
        built = make_runtime(echo="on", callback_timeout_seconds=CALLBACK_TIMEOUT, max_attempts=9)
        worker = replace(built, outside=outside, providers=runtime.providers)
        sweeps.begin(worker)
        sweep(worker)
        return worker, outside

    return make


def test_silence_asks_for_an_echo_at_once(make_worker: Callable[[], Worker], clock: FrozenDateTimeFactory) -> None:
    worker, outside = make_worker()
    outside.broken = "ReadTimeout"
    fallen_silent(worker, clock)
    assert len(outside.asked) == 2
    assert {hold.reason for hold in held(worker)} == {"silence", "echo_failed"}


def test_a_way_that_was_mended_ends_the_silence_that_it_caused(
    make_worker: Callable[[], Worker], provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    worker, outside = make_worker()
    outside.broken = "ReadTimeout"
    fallen_silent(worker, clock)
    batch_id = submit(worker, "one more")
    outside.broken = None
    clock.tick(1)
    sweep(worker)
    drain(worker)
    assert (held(worker), states(worker, batch_id)) == ((), ["waiting"])
    for _ in range(5):
        clock.tick(5)
        sweep(worker)
    assert held(worker) == ()


def test_a_way_that_was_open_all_the_time_ends_no_silence(
    make_worker: Callable[[], Worker], clock: FrozenDateTimeFactory
) -> None:
    worker, outside = make_worker()
    fallen_silent(worker, clock)
    clock.tick(1)
    sweep(worker)
    assert len(outside.asked) == 2
    assert [hold.reason for hold in held(worker)] == ["silence"]


def test_nothing_is_let_through_while_the_way_is_broken(
    make_worker: Callable[[], Worker], provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    worker, outside = make_worker()
    outside.broken = "ReadTimeout"
    fallen_silent(worker, clock)
    timed_out(worker, clock)
    drain(worker)
    assert len(provider.submissions) == 10
