"""Limits: the rate and the tasks in flight are shared by all workers of a provider."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from queue import Queue

import pytest
from freezegun.api import FrozenDateTimeFactory

from app.clock import now
from app.providers.base import Accepted, Held, Submission, SubmitOutcome, Unknown
from app.providers.dialogues import Dialogue
from app.runtime import Runtime
from app.services import batches
from tests.conftest import MakeRuntime
from tests.factories import (
    PROVIDER,
    counts,
    deliver,
    drain,
    record,
    side_by_side,
    states,
    submit,
    sweep,
    take,
    take_one,
)
from tests.fakes import FakeProvider, RecordingDoorbell, success
from tests.gates import while_uncommitted


def _seconds_ahead(runtime: Runtime) -> list[float]:
    """When what can be claimed now may be sent, in seconds from now."""
    return [(claimed.send_at - now()).total_seconds() for claimed in take(runtime)]


def test_a_claim_takes_one_second_of_the_rate_each_job_with_its_own_slot(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    runtime = make_runtime(rate_per_second=4.0)
    submit(runtime, *["x"] * 20)
    assert _seconds_ahead(runtime) == [0.0, 0.25, 0.5, 0.75]


def test_slots_are_never_given_twice_whichever_worker_asks(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    first, second = make_runtime(rate_per_second=2.0), make_runtime(rate_per_second=2.0)
    submit(first, *["x"] * 20)
    slots = []
    for step in range(12):
        worker = first if step % 2 else second
        slots += [claimed.send_at for claimed in take(worker)]
        clock.tick(0.3)
    gaps = [later - earlier for earlier, later in pairwise(slots)]
    assert len(slots) >= 7
    assert set(gaps) == {timedelta(seconds=0.5)}


def test_a_slow_rate_is_kept_and_used_to_the_full_by_two_workers(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    first, second = make_runtime(rate_per_second=5.0), make_runtime(rate_per_second=5.0)
    submit(first, *["x"] * 100)
    slots = []
    for step in range(150):  # a look every 70 ms, by one and the other
        slots += [claimed.send_at for claimed in take(second if step % 3 else first, 3)]
        clock.tick(0.07)
    counts = [sum(begin <= at < begin + timedelta(seconds=5) for at in slots) for begin in slots[:25]]
    assert (len(slots) >= 50, set(counts)) == (True, {25})


def test_a_slot_that_nobody_used_is_not_saved_up(make_runtime: MakeRuntime, clock: FrozenDateTimeFactory) -> None:
    runtime = make_runtime(rate_per_second=2.0)
    submit(runtime, *["x"] * 20)
    take(runtime)
    clock.tick(3600)
    assert _seconds_ahead(runtime) == [0.0, 0.5]


def test_a_rate_below_one_a_second_is_kept_too(make_runtime: MakeRuntime, clock: FrozenDateTimeFactory) -> None:
    runtime = make_runtime(rate_per_second=0.1)
    submit(runtime, *["x"] * 3)
    assert _seconds_ahead(runtime) == [0.0]
    clock.tick(8.9)
    assert _seconds_ahead(runtime) == []
    assert sweep(runtime).next_at == now() + timedelta(seconds=1.1)
    clock.tick(1.1)
    assert _seconds_ahead(runtime) == [0.0]


def test_no_more_tasks_are_in_flight_than_allowed(make_runtime: MakeRuntime, clock: FrozenDateTimeFactory) -> None:
    runtime = make_runtime(max_in_flight=3)
    batch_id = submit(runtime, *["x"] * 5)
    drain(runtime)
    assert counts(runtime, batch_id) == {"waiting": 3, "queued": 2}


@pytest.mark.parametrize("how", ["callback", "refused", "time-out"])
def test_room_in_flight_is_free_again_when_an_attempt_ends(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory, how: str
) -> None:
    runtime = make_runtime(max_in_flight=1)
    batch_id = submit(runtime, "a", "b")
    claimed = take_one(runtime)
    assert not take(runtime)
    if how == "callback":
        deliver(runtime, claimed.submission, success("x"))
    elif how == "refused":
        record(runtime, claimed, Held("rate_limited", "slow", 1.0))
    else:
        record(runtime, claimed, Accepted("task-1", 200))
    clock.tick(60)
    sweep(runtime)
    assert len(take(runtime)) == 1
    assert states(runtime, batch_id).count("submitting") == 1


@pytest.mark.parametrize("how", ["callback", "cancel"])
def test_workers_are_woken_when_room_comes_free_that_somebody_waits_for(make_runtime: MakeRuntime, how: str) -> None:
    runtime = make_runtime(max_in_flight=1)
    assert isinstance(runtime.doorbell, RecordingDoorbell)
    first_id = submit(runtime, "a")
    submit(runtime, "b")
    claimed = take_one(runtime)
    drain(runtime)
    runtime.doorbell.rings.clear()
    if how == "callback":
        deliver(runtime, claimed.submission, success("x"))
    else:
        batches.cancel(runtime, None, first_id)
    assert runtime.doorbell.rings == [PROVIDER]


def test_an_unknown_outcome_is_in_flight_because_it_may_have_been_accepted(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    runtime = make_runtime(max_in_flight=1)
    submit(runtime, "a", "b")
    record(runtime, take_one(runtime), Unknown("http_503", "HTTP 503", 503))
    clock.tick(29)
    assert not take(runtime)


def test_a_worker_counts_what_another_is_just_claiming(make_runtime: MakeRuntime) -> None:
    one, two = make_runtime(max_in_flight=3), make_runtime(max_in_flight=3)
    batch_id = submit(one, *["x"] * 10)
    deliver(one, take(one, 1)[0].submission, success("x"))
    is_early = while_uncommitted(one, lambda gated: take(gated, 2), lambda: take(two, 3))
    assert (is_early, states(one, batch_id).count("submitting")) == (False, 3)


def test_a_worker_takes_no_slot_that_another_is_just_taking(make_runtime: MakeRuntime) -> None:
    one, two = make_runtime(rate_per_second=2.0), make_runtime(rate_per_second=2.0)
    submit(one, *["x"] * 10)
    take(one, 1)
    slots: list[datetime] = []

    def claim(worker: Runtime) -> None:
        slots.extend(claimed.send_at for claimed in take(worker, 1))

    while_uncommitted(one, claim, lambda: claim(two))
    assert len(slots) == len(set(slots)) >= 1


class CountingProvider(FakeProvider):
    """Counts what it has: from the moment a submit reaches it until just before it calls back."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.now = self.peak = 0
        self.finished: Queue[Submission | None] = Queue()

    def submit(self, submission: Submission) -> Dialogue[SubmitOutcome]:
        with self.lock:
            self.now += 1
            self.peak = max(self.peak, self.now)
            outcome = yield from super().submit(submission)
        self.finished.put(submission)
        return outcome

    def next_finished(self) -> Submission | None:
        submitted = self.finished.get(timeout=20)
        with self.lock:
            self.now -= submitted is not None
        return submitted


def test_two_workers_together_never_have_more_in_flight_than_allowed(make_runtime: MakeRuntime) -> None:
    provider, workers = CountingProvider(), [make_runtime(max_in_flight=3) for _ in range(2)]
    for worker in workers:
        worker.providers[PROVIDER] = provider  # type: ignore[index]  # one provider for all
    batch_id = submit(workers[0], *map(str, range(40)))

    def answer(worker: Runtime) -> Callable[[], None]:
        def run() -> None:
            drain(worker)
            while submitted := provider.next_finished():
                deliver(worker, submitted, success(submitted.text_data))
                drain(worker)
                if counts(worker, batch_id) == {"completed": 40}:
                    for _ in range(4):
                        provider.finished.put(None)

        return run

    side_by_side(*[answer(worker) for worker in (*workers, *workers)])
    assert (counts(workers[0], batch_id), len(provider.submissions)) == ({"completed": 40}, 40)
    assert 1 <= provider.peak <= 3
