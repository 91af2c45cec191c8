"""The learned time-out: from all callbacks that come, in time or not, and from none that doesn't."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from sqlalchemy import select

from app.clock import now
from app.latencies import BOUNDS
from app.models import latencies as latency_rows
from app.runtime import Runtime
from app.services import installation, latencies, status
from app.services.claims import Claim
from app.services.views import JobDetail
from tests.conftest import MakeRuntime
from tests.factories import PROVIDER, attempt_states, deliver, interposed, outcomes, submit, sweep, take_one
from tests.fakes import FakeProvider, failure, success
from tests.learning import accept, accepted, answer, answered, learning_from, look


@pytest.fixture
def learning(make_runtime: MakeRuntime, clock: FrozenDateTimeFactory) -> Runtime:
    """A runtime that learns its time-out, three times the 99th percentile, from 1 to 500 seconds; at noon."""
    return learning_from(make_runtime(max_in_flight=1000))


def three_times(seconds: float) -> float:
    """Three times the upper bound of the bucket of this latency."""
    return 3 * next(bound for bound in BOUNDS if bound >= seconds)


def limit(runtime: Runtime) -> float | None:
    """The time-out that this process goes by; None: the default."""
    return runtime.learned.get(PROVIDER)


def counted(runtime: Runtime) -> float:
    """How many callbacks the kept histogram holds."""
    return 0 if row(runtime) is None else sum(row(runtime).counts)


def row(runtime: Runtime) -> Any:
    with runtime.database.reading() as connection:
        return connection.execute(select(latency_rows)).one_or_none()


def detail(runtime: Runtime, claimed: Claim) -> JobDetail:
    return status.job(runtime, None, claimed.job_id)


def due_at(runtime: Runtime, claimed: Claim) -> datetime | None:
    return detail(runtime, claimed).job.due_at


# --- from enough callbacks follows a limit ---


def test_the_default_holds_until_a_hundred_callbacks_are_known(learning: Runtime, clock: FrozenDateTimeFactory) -> None:
    answered(learning, clock, 2, 99)
    assert limit(learning) is None
    (before,) = accepted(learning)
    assert due_at(learning, before) == now() + timedelta(seconds=600)
    answered(learning, clock, 2, 10)
    assert limit(learning) == three_times(2)
    (after,) = accepted(learning)
    assert due_at(learning, after) == now() + timedelta(seconds=three_times(2))


@pytest.mark.parametrize(("seconds", "expected"), [(0.01, 1.0), (20, three_times(20)), (400, 500.0)])
def test_the_limit_stays_between_floor_and_ceiling(
    learning: Runtime, clock: FrozenDateTimeFactory, seconds: float, expected: float
) -> None:
    answered(learning, clock, seconds)
    assert limit(learning) == expected


def test_a_time_out_that_is_set_wins(make_runtime: MakeRuntime, clock: FrozenDateTimeFactory) -> None:
    runtime = make_runtime(max_in_flight=1000, callback_timeout_seconds=600.0)
    answered(runtime, clock, 2)
    assert (limit(runtime), counted(runtime)) == (None, 120)
    (claimed,) = accepted(runtime)
    assert due_at(runtime, claimed) == now() + timedelta(seconds=600)


def test_a_worker_that_starts_knows_what_others_have_learned(learning: Runtime, clock: FrozenDateTimeFactory) -> None:
    answered(learning, clock, 2)
    another = replace(learning, learned={})
    sweep(another)
    assert limit(another) == three_times(2)


def test_what_was_kept_before_anything_was_learned_is_learned_from(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    runtime = make_runtime(max_in_flight=1000)
    claims = accepted(runtime, 100)
    clock.tick(2)
    answer(runtime, claims)
    clock.tick(86400)
    learning = learning_from(runtime)
    sweep(learning)
    assert limit(learning) == three_times(2)


def test_the_doctor_says_what_the_time_out_is_and_why(make_runtime: MakeRuntime, clock: FrozenDateTimeFactory) -> None:
    fixed = make_runtime(max_in_flight=1000)
    learning = learning_from(fixed)

    def told(runtime: Runtime) -> str:
        (found,) = (check.detail for check in installation.check(runtime) if check.name == "callbacks")
        return found

    assert told(learning) == "hive_v2: too few callbacks are known; they time out after 600.0 s, by default"
    answered(learning, clock, 2)
    usual = "hive_v2: 99 of 100 callbacks come within 2.9 s; they time out after"
    assert (told(learning), told(fixed)) == (f"{usual} 8.8 s, as learned", f"{usual} 60.0 s, as set")


# --- what counts ---


def test_a_callback_that_comes_after_its_time_out_counts_so_limits_do_not_spiral_down(
    learning: Runtime, clock: FrozenDateTimeFactory
) -> None:
    answered(learning, clock, 2)
    slow = accepted(learning, 5)
    clock.tick(20)
    sweep(learning)
    assert attempt_states(detail(learning, slow[0])) == ["timed_out"]
    clock.tick(20)
    answer(learning, slow)
    assert outcomes(detail(learning, slow[0])) == ["applied"]
    look(learning, clock)
    assert limit(learning) == three_times(40)


def test_a_late_answer_of_a_job_that_has_one_counts_too(learning: Runtime, clock: FrozenDateTimeFactory) -> None:
    answered(learning, clock, 2)
    first = accepted(learning, 5)
    clock.tick(20)
    sweep(learning)
    clock.tick(2)
    second = accept(learning, 5)
    assert len(second) == 5
    answer(learning, second)
    clock.tick(18)
    answer(learning, first)
    assert outcomes(detail(learning, first[0])) == ["applied", "late"]
    look(learning, clock)
    assert limit(learning) == three_times(40)


def test_callbacks_that_never_come_do_not_raise_the_limit(learning: Runtime, clock: FrozenDateTimeFactory) -> None:
    answered(learning, clock, 2)
    for _ in range(3):
        accepted(learning, 30)
        clock.tick(100)
        sweep(learning)
    assert (limit(learning), round(counted(learning))) == (three_times(2), 120)


def test_what_comes_again_counts_once(learning: Runtime, clock: FrozenDateTimeFactory) -> None:
    claims = accepted(learning, 2)
    clock.tick(2)
    answer(learning, claims)
    look(learning, clock)
    clock.tick(100)
    for claimed, body in zip(claims, (success(), success("another answer")), strict=True):
        deliver(learning, claimed.submission, body)
    look(learning, clock)
    assert counted(learning) == pytest.approx(2, rel=0.01)
    assert outcomes(detail(learning, claims[1])) == ["applied", "late"]


def test_a_task_that_failed_took_its_time_as_well(learning: Runtime, clock: FrozenDateTimeFactory) -> None:
    (claimed,) = accepted(learning)
    clock.tick(2)
    deliver(learning, claimed.submission, failure("9"))
    look(learning, clock)
    assert counted(learning) == 1


@pytest.mark.parametrize("body", [success(task_id="another"), b"?"], ids=["a contradiction", "unreadable"])
def test_what_may_not_be_the_answer_of_the_attempt_does_not_count(
    learning: Runtime, clock: FrozenDateTimeFactory, body: bytes
) -> None:
    (claimed,) = accepted(learning)
    deliver(learning, claimed.submission, body)
    look(learning, clock)
    assert counted(learning) == 0


def test_a_callback_that_overtakes_its_ack_counts_from_its_claim(
    learning: Runtime, clock: FrozenDateTimeFactory
) -> None:
    submit(learning, "a")
    claimed = take_one(learning)
    clock.tick(2)
    deliver(learning, claimed.submission, success())
    look(learning, clock)
    assert [bound for bound, count in zip(BOUNDS, row(learning).counts, strict=True) if count] == [
        next(bound for bound in BOUNDS if bound >= 2)
    ]


def test_of_more_callbacks_than_are_looked_at_the_newest_are_taken(
    learning: Runtime, clock: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latencies, "SAMPLE", 120)
    claims = accepted(learning, 200)
    clock.tick(20)
    answer(learning, claims[:80])
    clock.tick(40)
    answer(learning, claims[80:])
    look(learning, clock)
    assert (counted(learning), limit(learning)) == (120, three_times(60))
    answered(learning, clock, 2, 1)
    assert counted(learning) == pytest.approx(121, rel=0.01)


def test_two_workers_that_look_at_once_count_a_callback_once(learning: Runtime, clock: FrozenDateTimeFactory) -> None:
    answered(learning, clock, 2, 1)
    claims = accepted(learning, 100)
    clock.tick(2)
    answer(learning, claims)
    other = replace(learning, learned={})
    first = interposed(learning, before={1: lambda: latencies.learn(other)})
    latencies.learn(first)
    assert counted(learning) == pytest.approx(101, rel=0.01)
    assert limit(learning) == limit(other) == three_times(2)


def test_two_workers_that_look_for_the_first_time_at_once_count_a_callback_once(
    learning: Runtime, clock: FrozenDateTimeFactory
) -> None:
    answer(learning, accepted(learning, 10))
    other = replace(learning, learned={})
    latencies.learn(interposed(learning, before={1: lambda: latencies.learn(other)}))
    assert counted(learning) == 10


def test_while_nothing_goes_on_nothing_is_written(learning: Runtime, clock: FrozenDateTimeFactory) -> None:
    answered(learning, clock, 2, 1)
    before = row(learning)
    look(learning, clock)
    assert row(learning) == before


# --- what changes is followed ---


def test_a_provider_that_becomes_slower_is_followed_at_once(learning: Runtime, clock: FrozenDateTimeFactory) -> None:
    answered(learning, clock, 2)
    answered(learning, clock, 30, 5)
    assert limit(learning) == three_times(30)


def test_a_provider_that_becomes_faster_is_followed_within_days(
    learning: Runtime, clock: FrozenDateTimeFactory
) -> None:
    answered(learning, clock, 30)
    limits = []
    for _ in range(9):
        clock.tick(86400)
        answered(learning, clock, 2)
        limits.append(limit(learning))
    assert (limits[0], limits[-1]) == (three_times(30), three_times(2))


def test_what_is_long_ago_is_forgotten_and_the_default_holds_again(
    learning: Runtime, clock: FrozenDateTimeFactory
) -> None:
    answered(learning, clock, 2, 150)
    assert limit(learning) == three_times(2)
    clock.tick(timedelta(days=1))
    sweep(learning)
    assert limit(learning) is None


def test_who_waits_already_gets_the_time_that_is_found_to_be_needed(
    learning: Runtime, clock: FrozenDateTimeFactory
) -> None:
    answered(learning, clock, 2)
    slow = accepted(learning, 6)
    clock.tick(7)
    answer(learning, slow[:5])
    clock.tick(three_times(2) - 7)
    sweep(learning)
    assert attempt_states(detail(learning, slow[5])) == ["waiting"]
    assert due_at(learning, slow[5]) == now() + timedelta(seconds=three_times(7) - three_times(2))
    clock.tick(three_times(7))
    sweep(learning)
    assert attempt_states(detail(learning, slow[5])) == ["timed_out"]


def test_a_task_that_gets_more_time_is_not_asked_for(learning: Runtime, clock: FrozenDateTimeFactory) -> None:
    provider = learning.providers[PROVIDER]
    assert isinstance(provider, FakeProvider)
    provider.can_read_back = True
    answered(learning, clock, 2)
    slow = accepted(learning, 6)
    clock.tick(7)
    answer(learning, slow[:5])
    clock.tick(three_times(2) - 7)
    sweep(learning)
    assert provider.asked == []
    clock.tick(three_times(7))
    sweep(learning)
    assert provider.asked == [f"task-{slow[5].job_id.hex}"]
