"""The overview: what is open, what ended in the last hour, how each provider stands."""

from datetime import timedelta

import pytest
from freezegun.api import FrozenDateTimeFactory

from app.clock import now
from app.providers.base import Unknown
from app.runtime import Runtime
from app.services import batches, overviews
from app.services.overviews import Failure, ProviderStanding
from app.store import throughput
from tests.conftest import MakeRuntime
from tests.factories import PROVIDER, deliver, drain, record, submit, sweep, take
from tests.fakes import FakeProvider, failure, success
from tests.learning import accepted, answered, learning_from


def _standing(runtime: Runtime) -> ProviderStanding:
    (found,) = [each for each in overviews.overview(runtime).providers if each.name == PROVIDER]
    return found


def _fail_for_good(runtime: Runtime, *texts: str) -> None:
    submit(runtime, *texts, max_attempts=1)
    for claimed in take(runtime):
        deliver(runtime, claimed.submission, failure("9"))


def test_an_empty_service_has_nothing_to_show(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    found = overviews.overview(runtime)
    assert (found.open_jobs.queued, found.open_jobs.oldest_queued_at, found.completed, found.failed) == (0, None, 0, 0)
    assert not found.has_batches
    assert len(found.minutes) == 60
    assert found.minutes[-1].at == now()


def test_what_is_open_is_counted_over_all_batches(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    submit(runtime, "a", "b", "c")
    drain(runtime)
    clock.tick(10)
    first_at = now()
    submit(runtime, "d", "e")
    take(runtime, 1)
    clock.tick(10)
    submit(runtime, "f")
    found = overviews.overview(runtime).open_jobs
    assert (found.queued, found.submitting, found.waiting) == (2, 1, 3)
    assert found.oldest_queued_at == first_at
    sweep(runtime)
    assert overviews.overview(runtime).open_jobs == found, "folding changes no sum"


def test_jobs_that_ended_are_counted_in_the_minute_in_which_that_was_seen(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    submit(runtime, "a", "b", "c")
    one, other, _ = take(runtime)
    deliver(runtime, one.submission, success())
    sweep(runtime)
    clock.tick(60)
    deliver(runtime, other.submission, success())
    sweep(runtime)
    sweep(runtime)
    found = overviews.overview(runtime)
    assert [minute.completed for minute in found.minutes[-3:]] == [0, 1, 1]
    clock.tick(59 * 60)
    assert overviews.overview(runtime).completed == 1, "the first is more than an hour ago"


def test_a_batch_that_ends_is_counted_without_a_sweep(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    _fail_for_good(runtime, "a", "b")
    assert (overviews.overview(runtime).completed, overviews.overview(runtime).failed) == (0, 2)


def test_a_retry_takes_nothing_back_that_was_counted(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(runtime, "a", max_attempts=1)
    (claimed,) = take(runtime)
    deliver(runtime, claimed.submission, failure("9"))
    batches.retry(runtime, None, batch_id, None)
    sweep(runtime)
    (again,) = take(runtime)
    deliver(runtime, again.submission, success())
    found = overviews.overview(runtime)
    assert (found.completed, found.failed) == (1, 1)


def test_minutes_are_forgotten_after_two_days(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    _fail_for_good(runtime, "a")
    clock.tick(timedelta(days=2, minutes=2))
    sweep(runtime)
    with runtime.database.reading() as connection:
        assert throughput.since(connection, now() - timedelta(days=9)) == []


def test_several_that_count_in_one_minute_add_up(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    for _ in range(3 * throughput.LANES):
        with runtime.database.transaction() as connection:
            throughput.add(connection, now(), {"b": throughput.Ended(1, 0), "a": throughput.Ended(0, 2)})
    with runtime.database.reading() as connection:
        (row,) = throughput.since(connection, now())
    assert (row.completed, row.failed) == (3 * throughput.LANES, 6 * throughput.LANES)


def test_what_failed_in_the_last_hour_is_grouped_by_its_reason(
    runtime: Runtime, clock: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_for_good(runtime, "a")
    clock.tick(timedelta(minutes=61))
    _fail_for_good(runtime, "b", "c")
    submit(runtime, "d", expires_in_seconds=60)
    clock.tick(61)
    sweep(runtime)
    assert overviews.overview(runtime).failures == (Failure("9", 2), Failure("batch_expired", 1))
    monkeypatch.setattr(overviews, "MOST_FAILURES", 1)
    assert overviews.overview(runtime).failures == (Failure("batch_expired", 1),), "the newest count"


def test_a_provider_shows_its_tasks_and_its_last_callback(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    assert (_standing(runtime).in_flight, _standing(runtime).last_callback_at) == (0, None)
    submit(runtime, "a", "b")
    drain(runtime)
    clock.tick(5)
    deliver(runtime, provider.submissions[0], success())
    came_at = now()
    clock.tick(5)
    found = _standing(runtime)
    assert (found.in_flight, found.last_callback_at) == (1, came_at)
    assert found.overdue_since is None, "too few callbacks are known to say"


def test_a_provider_shows_how_long_its_callbacks_take_and_which_is_overdue(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    learned = learning_from(make_runtime(max_in_flight=1000))
    answered(learned, clock, seconds=4)
    accepted(learned)
    sent_at, found = now(), _standing(learned)
    assert found.half is not None
    assert found.most is not None
    assert 4 <= found.half <= found.most < 8
    assert found.overdue_since is None
    clock.tick(8)
    overdue_since = _standing(learned).overdue_since
    assert overdue_since == sent_at + timedelta(seconds=found.most)
    assert overviews.overview(learned).overdue_since == overdue_since


def test_a_provider_shows_its_holds_and_whether_its_breaker_has_tripped(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    runtime = make_runtime(breaker_faults=1)
    submit(runtime, "a")
    assert not _standing(runtime).has_tripped
    (claimed,) = take(runtime)
    record(runtime, claimed, Unknown("connection_lost", "gone"))
    found = _standing(runtime)
    assert (found.has_tripped, [hold.reason for hold in found.holds]) == (True, ["breaker"])
    clock.tick(timedelta(hours=1))
    assert (_standing(runtime).has_tripped, _standing(runtime).holds) == (True, ())
