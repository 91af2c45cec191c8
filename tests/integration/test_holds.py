"""Holds: a provider that says stop is left alone by all workers, and no job pays for it."""

from datetime import timedelta

import pytest
from freezegun.api import FrozenDateTimeFactory

from app.clock import now
from app.errors import NotFound
from app.providers.base import Accepted, Held
from app.providers.outcomes import not_accepted
from app.runtime import Runtime
from app.services import holds
from app.services.audit import By
from tests.conftest import MakeRuntime
from tests.factories import (
    PROVIDER,
    attempt_states,
    batch,
    counts,
    drain,
    held,
    job,
    record,
    states,
    submit,
    sweep,
    take,
    take_one,
)
from tests.fakes import FakeProvider

SLOW_DOWN = not_accepted(429, "HTTP 429", {"Retry-After": "17"})


def test_a_429_holds_the_provider_for_all_workers_as_long_as_it_asked(
    runtime: Runtime, provider: FakeProvider, make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    provider.script.append(SLOW_DOWN)
    submit(runtime, "a")
    drain(runtime)
    submit(runtime, "b")
    other = make_runtime()
    (hold,) = held(other)
    assert (hold.scope, hold.scope_id, hold.reason) == ("provider", PROVIDER, "rate_limited")
    assert hold.until == now() + timedelta(seconds=17)
    clock.tick(timedelta(seconds=17) - timedelta(microseconds=1))
    assert (len(take(runtime)), len(take(other))) == (0, 0)
    clock.tick(timedelta(microseconds=1))
    assert len(take(other)) == 2


def test_a_429_uses_up_no_attempt_however_often_it_comes(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    provider.script.extend([SLOW_DOWN] * 5)
    batch_id = submit(runtime, "a", max_attempts=1)
    for _ in range(6):
        drain(runtime)
        clock.tick(17)
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.attempts, found.job.error_code) == ("waiting", 1, None)
    assert attempt_states(found) == ["refused"] * 5 + ["waiting"]
    assert found.attempts[0].http_status == 429
    assert batch(runtime, batch_id).retries == 0


def test_the_sweep_comes_back_just_when_the_hold_ends(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    provider.script.append(not_accepted(429, "HTTP 429", {"Retry-After": "3"}))
    submit(runtime, "a")
    drain(runtime)
    swept = sweep(runtime)
    assert (swept.next_at, swept.due_providers) == (now() + timedelta(seconds=3), ())
    clock.tick(3)
    assert sweep(runtime).due_providers == (PROVIDER,)
    assert held(runtime) == ()


def test_a_second_429_never_shortens_the_wait(
    runtime: Runtime, make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    submit(runtime, "a", "b")
    first, second = take(runtime)
    record(runtime, first, SLOW_DOWN)
    record(make_runtime(), second, not_accepted(429, "HTTP 429", {}))
    clock.tick(16)
    assert (len(held(runtime)), len(take(runtime))) == (1, 0)


def test_a_second_429_may_lengthen_the_wait(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    submit(runtime, "a", "b")
    first, second = take(runtime)
    record(runtime, first, SLOW_DOWN)
    record(runtime, second, not_accepted(429, "HTTP 429", {"Retry-After": "60"}))
    clock.tick(59)
    assert len(take(runtime)) == 0
    clock.tick(1)
    assert len(take(runtime)) == 2


def test_429s_that_say_nothing_of_time_wait_longer_and_longer(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    submit(runtime, "a")
    waits = []
    for _ in range(4):
        record(runtime, take_one(runtime), not_accepted(429, "HTTP 429", {}))
        (hold,) = held(runtime)
        assert hold.until is not None
        waits.append((hold.until - now()).total_seconds())
        clock.tick(hold.until - now())
    assert all(2.0**n <= wait <= 2.0 ** (n + 1) for n, wait in enumerate(waits))


@pytest.mark.parametrize("retry_after", ["0", "-5", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_429_that_asks_for_no_wait_is_not_answered_by_a_storm(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory, retry_after: str
) -> None:
    provider.script.extend([not_accepted(429, "HTTP 429", {"Retry-After": retry_after})] * 20)
    submit(runtime, "a")
    drain(runtime)
    assert len(provider.submissions) == 1


def test_a_provider_that_was_not_reached_is_tried_again_after_a_while_and_no_attempt_is_counted(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    provider.script.append(Held("unreachable", "connection refused"))
    batch_id = submit(runtime, "a")
    drain(runtime)
    assert (job(runtime, batch_id).job.attempts, held(runtime)[0].reason) == (0, "unreachable")
    clock.tick(2)
    drain(runtime)
    assert states(runtime, batch_id) == ["waiting"]


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_key_holds_the_provider_until_it_is_lifted_and_fails_no_job(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory, status: int
) -> None:
    provider.script.append(not_accepted(status, f"HTTP {status}", {}))
    batch_id = submit(runtime, "a", max_attempts=1)
    drain(runtime)
    clock.tick(5 * 86400)
    sweep(runtime)
    drain(runtime)
    (hold,) = held(runtime)
    assert (hold.reason, hold.until) == ("key_refused", None)
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.attempts, attempt_states(found)) == ("queued", 0, ["refused"])
    holds.lift(runtime, "provider", PROVIDER, "key_refused", By("tests"))
    drain(runtime)
    assert (states(runtime, batch_id), held(runtime)) == (["waiting"], ())


def test_a_redirect_holds_the_provider_until_it_is_lifted(runtime: Runtime, provider: FakeProvider) -> None:
    provider.script.append(not_accepted(302, "HTTP 302", {}))
    batch_id = submit(runtime, "a")
    drain(runtime)
    assert (held(runtime)[0].reason, held(runtime)[0].until) == ("misconfigured", None)
    assert states(runtime, batch_id) == ["queued"]


def test_the_end_of_one_hold_is_not_the_end_of_another(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    submit(runtime, "a", "b")
    first, second = take(runtime)
    record(runtime, first, SLOW_DOWN)
    record(runtime, second, not_accepted(403, "HTTP 403", {}))
    clock.tick(17)
    sweep(runtime)
    assert [hold.reason for hold in held(runtime)] == ["key_refused"]
    assert len(take(runtime)) == 0


def test_what_is_already_with_the_provider_goes_on_during_a_hold(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a", "b")
    first, second = take(runtime)
    record(runtime, first, SLOW_DOWN)
    record(runtime, second, Accepted("task-2", 200))
    assert states(runtime, batch_id) == ["queued", "waiting"]


def test_a_hold_that_is_not_there_cannot_be_lifted(runtime: Runtime) -> None:
    with pytest.raises(NotFound):
        holds.lift(runtime, "provider", PROVIDER, "rate_limited", By("tests"))
    assert held(runtime) == ()


def test_what_was_claimed_ahead_is_not_sent_into_a_hold(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(connections=1, max_in_flight=1000)
    provider = runtime.providers[PROVIDER]
    assert isinstance(provider, FakeProvider)
    provider.script.extend([Accepted(f"task-{number}", 200) for number in range(40)] + [SLOW_DOWN] * 160)
    batch_id = submit(runtime, *["x"] * 200)
    drain(runtime)
    assert counts(runtime, batch_id) == {"waiting": 40, "queued": 160}
    assert len(provider.submissions) <= 42


def test_a_key_that_is_refused_is_not_tried_with_all_that_was_claimed_ahead(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(connections=1, max_in_flight=1000)
    provider = runtime.providers[PROVIDER]
    assert isinstance(provider, FakeProvider)
    refused = not_accepted(401, "HTTP 401", {})
    provider.script.extend([Accepted(f"task-{number}", 200) for number in range(40)] + [refused] * 160)
    batch_id = submit(runtime, *["x"] * 200)
    drain(runtime)
    assert counts(runtime, batch_id) == {"waiting": 40, "queued": 160}
    assert len(provider.submissions) <= 42
