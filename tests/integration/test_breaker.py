"""The circuit breaker: a provider that fails again and again is left alone by all workers, then tried by one."""

import time
from collections.abc import Sequence
from datetime import timedelta

import pytest
from freezegun.api import FrozenDateTimeFactory

from app.clock import now
from app.errors import NotFound
from app.providers.base import Accepted, Held, Submission, SubmitOutcome, Unknown
from app.runtime import Runtime
from app.services import holds
from app.services.audit import By
from app.services.views import HoldView
from tests.conftest import MakeRuntime
from tests.factories import PROVIDER, counts, drain, held, record, side_by_side, states, submit, sweep, take, take_one
from tests.fakes import FakeProvider, RecordingDoorbell

FAULT = Unknown("http_503", "HTTP 503", 503)
GOOD = Accepted("task-1", 200)


@pytest.fixture
def workers(make_runtime: MakeRuntime, clock: FrozenDateTimeFactory) -> Sequence[Runtime]:
    """Two worker processes for which three faults in a row are enough, and thirty jobs to send."""
    made = [make_runtime(breaker_faults=3, max_in_flight=1000) for _ in range(2)]
    submit(made[0], *["x"] * 30)
    return made


def told(runtime: Runtime, *outcomes: SubmitOutcome) -> None:
    """Submit one after the other with these outcomes."""
    for outcome in outcomes:
        record(runtime, take(runtime, 1)[0], outcome)


def open_breaker(runtime: Runtime) -> HoldView:
    """The hold of the breaker, which is the only one."""
    (hold,) = held(runtime)
    assert (hold.scope, hold.scope_id, hold.reason) == ("provider", PROVIDER, "breaker")
    return hold


def pass_over(runtime: Runtime, clock: FrozenDateTimeFactory) -> float:
    """Let the hold of the breaker end; how long it took, in seconds."""
    until = open_breaker(runtime).until
    assert until is not None
    left = until - now()
    clock.tick(left)
    return left.total_seconds()


def test_faults_in_a_row_hold_the_provider_for_all_workers(workers: Sequence[Runtime]) -> None:
    one, two = workers
    told(one, FAULT)
    told(two, FAULT)
    assert held(one) == ()
    told(one, FAULT)
    assert open_breaker(two).message == "3 submits in a row failed, the last with http_503: HTTP 503"
    assert (len(take(one)), len(take(two))) == (0, 0)


def test_a_success_in_between_keeps_it_closed(workers: Sequence[Runtime]) -> None:
    told(workers[0], FAULT, FAULT, GOOD, FAULT, FAULT)
    assert held(workers[0]) == ()
    assert len(take(workers[0])) == 25


@pytest.mark.parametrize(
    "answer", [Held("rate_limited", "HTTP 429", 1.0), Held("key_refused", "HTTP 403", needs_operator=True)]
)
def test_a_429_and_a_refused_key_have_their_own_holds_and_open_no_breaker(
    workers: Sequence[Runtime], clock: FrozenDateTimeFactory, answer: Held
) -> None:
    for claimed in take(workers[0], 9):
        record(workers[0], claimed, answer)
    assert {hold.reason for hold in held(workers[0])} == {answer.reason}


def test_after_its_time_one_submit_goes_over_all_workers_and_the_next_when_that_failed(
    workers: Sequence[Runtime], clock: FrozenDateTimeFactory
) -> None:
    one, two = workers
    told(one, *[FAULT] * 3)
    first_wait = pass_over(one, clock)
    probe = take_one(two)
    assert (len(take(one)), len(take(two))) == (0, 0)
    record(two, probe, FAULT)
    assert first_wait <= 2.0 <= pass_over(one, clock) <= 4.0
    assert len(take(one)) == 1


def test_two_workers_that_ask_at_once_send_one_submit(workers: Sequence[Runtime], clock: FrozenDateTimeFactory) -> None:
    told(workers[0], *[FAULT] * 3)
    pass_over(workers[0], clock)
    claimed = side_by_side(*[lambda worker=worker: take(worker) for worker in workers * 2])  # type: ignore[misc]  # mypy can't infer it
    assert sorted(map(len, claimed)) == [0, 0, 0, 1]


def test_a_submit_that_succeeds_closes_it_and_all_workers_go_on(
    workers: Sequence[Runtime], clock: FrozenDateTimeFactory
) -> None:
    one, two = workers
    assert isinstance(one.doorbell, RecordingDoorbell)
    told(one, *[FAULT] * 3)
    pass_over(one, clock)
    probe = take_one(one)
    one.doorbell.rings.clear()
    record(one, probe, GOOD)
    assert (held(two), one.doorbell.rings) == ((), [PROVIDER])
    assert len(take(two)) == 26
    told_again = submit(two, "a", "b")
    told(one, FAULT, FAULT)
    assert (held(one), counts(one, told_again)) == ((), {"waiting": 2})


def test_a_success_of_what_was_under_way_closes_it_before_its_time(workers: Sequence[Runtime]) -> None:
    late, *failing = take(workers[0], 4)
    for claimed in failing:
        record(workers[0], claimed, FAULT)
    assert open_breaker(workers[0])
    record(workers[0], late, GOOD)
    assert held(workers[0]) == ()
    assert len(take(workers[1])) == 26


def test_while_an_old_submit_is_under_way_no_other_goes_to_try(
    workers: Sequence[Runtime], clock: FrozenDateTimeFactory
) -> None:
    slow, *failing = take(workers[0], 4)
    for claimed in failing:
        record(workers[0], claimed, FAULT)
    pass_over(workers[0], clock)
    assert len(take(workers[1])) == 0
    record(workers[0], slow, FAULT)
    pass_over(workers[0], clock)
    assert len(take(workers[1])) == 1


def test_a_worker_that_dies_with_the_one_submit_leaves_the_next_to_another(
    workers: Sequence[Runtime], clock: FrozenDateTimeFactory
) -> None:
    told(workers[0], *[FAULT] * 3)
    pass_over(workers[0], clock)
    take_one(workers[0])
    clock.tick(15)
    sweep(workers[1])
    assert len(take(workers[1])) == 1


def test_a_submit_that_is_handed_back_leaves_its_turn_to_another(
    workers: Sequence[Runtime], clock: FrozenDateTimeFactory
) -> None:
    told(workers[0], *[FAULT] * 3)
    pass_over(workers[0], clock)
    record(workers[0], take_one(workers[0]), None)
    assert len(take(workers[1])) == 1


def test_the_sweep_comes_back_just_when_it_may_be_tried(
    workers: Sequence[Runtime], clock: FrozenDateTimeFactory
) -> None:
    told(workers[0], *[FAULT] * 3)
    assert sweep(workers[0]).next_at == open_breaker(workers[0]).until
    pass_over(workers[0], clock)
    assert sweep(workers[0]).due_providers == (PROVIDER,)


def test_a_person_can_close_it_whether_its_hold_stands_or_is_over(
    workers: Sequence[Runtime], clock: FrozenDateTimeFactory
) -> None:
    told(workers[0], *[FAULT] * 3)
    holds.lift(workers[0], "provider", PROVIDER, "breaker", By("tests"))
    assert held(workers[0]) == ()
    told(workers[0], *[FAULT] * 3)
    pass_over(workers[0], clock)
    sweep(workers[0])
    holds.lift(workers[0], "provider", PROVIDER, "breaker", By("tests"))
    assert len(take(workers[1])) == 24
    with pytest.raises(NotFound):
        holds.lift(workers[0], "provider", PROVIDER, "breaker", By("tests"))


def test_faults_that_two_workers_write_down_at_once_are_all_counted(workers: Sequence[Runtime]) -> None:
    claimed = take(workers[0], 4)
    side_by_side(
        *[
            lambda each=each, worker=worker: record(worker, each, FAULT)  # type: ignore[misc]  # mypy can't infer it
            for each, worker in zip(claimed, workers * 2, strict=True)
        ]
    )
    assert open_breaker(workers[0]).reason == "breaker"


def test_what_was_claimed_ahead_is_not_sent_to_a_provider_that_fails(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(connections=1, max_in_flight=1000, breaker_faults=3)
    provider = runtime.providers[PROVIDER]
    assert isinstance(provider, FakeProvider)

    def fail_slowly(_: Submission) -> SubmitOutcome:
        time.sleep(0.02)  # longer than outcomes are gathered to be written down together
        return FAULT

    provider.script.extend([Accepted(f"task-{number}", 200) for number in range(40)])
    provider.script.extend([fail_slowly] * 160)
    batch_id = submit(runtime, *["x"] * 200)
    drain(runtime)
    done = counts(runtime, batch_id)
    assert 43 <= len(provider.submissions) <= 60
    assert (done["waiting"], done["queued"]) == (len(provider.submissions), 200 - len(provider.submissions))


def test_no_job_pays_for_an_open_breaker(workers: Sequence[Runtime], clock: FrozenDateTimeFactory) -> None:
    told(workers[0], *[FAULT] * 3)
    clock.tick(timedelta(seconds=0.5))
    drain(workers[0])
    waiting = submit(workers[0], "a", max_attempts=1)
    drain(workers[1])
    assert states(workers[0], waiting) == ["queued"]
