"""What is expected: by when a callback comes, which is overdue after that, and between when and when a batch ends."""

from datetime import timedelta
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory

from app.clock import now
from app.ids import show
from app.latencies import BOUNDS
from app.providers.base import Accepted, Held, Unknown
from app.runtime import Runtime
from app.services import batches, pausing, status, sweeps, why
from app.services.views import JobView
from tests.conftest import MakeRuntime
from tests.factories import batch, deliver, record, states, submit, sweep, take, take_one, with_settings
from tests.fakes import failure
from tests.integration.rest import Rest, body_of
from tests.learning import accept, answer, answered, learning_from, look

USUAL = timedelta(seconds=next(bound for bound in BOUNDS if bound >= 2))
"""What 99 of 100 callbacks take, as far as a histogram can tell, if they take two seconds: 2.9. The limit is 8.8."""


@pytest.fixture
def runtime(make_runtime: MakeRuntime, clock: FrozenDateTimeFactory) -> Runtime:
    """One that learns, from noon on; `client` and `api_key` are for it."""
    return learning_from(make_runtime(max_in_flight=1000, breaker_faults=2))


@pytest.fixture
def learned(runtime: Runtime, clock: FrozenDateTimeFactory) -> Runtime:
    """The same, with enough callbacks known."""
    answered(runtime, clock, 2)
    return runtime


def submitted(runtime: Runtime, *texts: str) -> UUID:
    """A new batch, all of which the provider has accepted just now."""
    batch_id = submit(runtime, *texts)
    assert len(accept(runtime, len(texts))) == len(texts)
    return batch_id


def jobs(runtime: Runtime, batch_id: UUID, *words: str, custom_id: str | None = None) -> list[str]:
    """The names of the jobs of a batch that are these words."""
    found = status.jobs(runtime, None, batch_id, states=words, custom_id=custom_id).items
    return [each.custom_id for each in found]


def first_job(runtime: Runtime, batch_id: UUID) -> JobView:
    first = status.jobs(runtime, None, batch_id, limit=1).items[0]
    assert status.job(runtime, None, first.id).job == first
    return first


# --- a callback ---


def test_nothing_is_expected_of_a_provider_of_which_too_little_is_known(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    answered(runtime, clock, 2, 99)
    batch_id = submitted(runtime, "a")
    clock.tick(100)
    assert (first_job(runtime, batch_id).expected_by, first_job(runtime, batch_id).is_overdue) == (None, False)
    (reason,) = why.batch(runtime, None, batch_id)
    assert (reason.code, reason.expected_by) == ("waiting_for_callback", None)
    assert (jobs(runtime, batch_id, "overdue"), jobs(runtime, batch_id, "overdue", "waiting")) == ([], ["job-0"])
    assert (batch(runtime, batch_id).overdue, batch(runtime, batch_id).expected_end) == (0, None)


def test_a_callback_is_expected_then_overdue_and_then_timed_out(learned: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(learned, "a")
    claimed = take_one(learned)
    clock.tick(1)
    record(learned, claimed, Accepted("task-1", 200))
    expected_by, seen = now() + USUAL, []
    for _ in range(3):
        found = first_job(learned, batch_id)
        seen.append((found.state, found.is_overdue, found.expected_by == expected_by, batch(learned, batch_id).overdue))
        clock.tick(4)
        sweep(learned)
    assert seen == [("waiting", False, True, 0), ("waiting", True, True, 1), ("waiting", True, True, 1)]
    timed_out = first_job(learned, batch_id)
    assert (timed_out.state, timed_out.error_code, timed_out.expected_by) == ("queued", "timed_out", None)


def test_why_says_since_when_by_when_and_until_when(learned: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id, sent_at = submitted(learned, "a"), now()
    timed_out_at = f"{sent_at + 3 * USUAL:%H:%M:%S.%f}"[:-3]
    for code in ("waiting_for_callback", "overdue"):
        (reason,) = why.batch(learned, None, batch_id)
        assert (reason,) == why.job(learned, None, first_job(learned, batch_id).id)
        assert (reason.code, reason.jobs, reason.since) == (code, 1, sent_at)
        assert (reason.expected_by, f"{reason.until:%H:%M:%S.%f}"[:-3]) == (sent_at + USUAL, timed_out_at)
        clock.tick(3)


def test_why_tells_the_overdue_jobs_of_a_batch_from_the_others(learned: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(learned, *"abcde")
    accept(learned, 2)
    clock.tick(3)
    accept(learned, 3)
    found = [(reason.code, reason.jobs) for reason in why.batch(learned, None, batch_id)]
    assert found == [("overdue", 2), ("waiting_for_callback", 3)]
    assert batch(learned, batch_id).overdue == 2


def test_an_unknown_outcome_is_not_overdue_as_nobody_accepted_it(
    learned: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(learned, "a")
    record(learned, take_one(learned), Unknown("http_503", "HTTP 503", 503))
    clock.tick(5)
    (reason,) = why.batch(learned, None, batch_id)
    assert (reason.code, reason.expected_by) == ("unknown_outcome", None)
    assert (first_job(learned, batch_id).expected_by, batch(learned, batch_id).overdue) == (None, 0)


def test_overdue_jobs_are_found_by_that_word_alone_or_among_states(
    learned: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(learned, *"abcdef")
    accept(learned, 2)
    (claimed,) = take(learned, 1)
    deliver(learned, claimed.submission, failure("9"))
    clock.tick(3)
    accept(learned, 2)
    assert jobs(learned, batch_id, "overdue") == ["job-0", "job-1"]
    assert jobs(learned, batch_id, "overdue", "failed") == ["job-0", "job-1", "job-2"]
    assert jobs(learned, batch_id, "overdue", "waiting") == ["job-0", "job-1", "job-3", "job-4"]
    assert jobs(learned, batch_id, "failed") == ["job-2"]
    assert jobs(learned, batch_id, "overdue", custom_id="job-1") == ["job-1"]
    assert jobs(learned, batch_id, "overdue", custom_id="job-3") == []
    assert jobs(learned, batch_id, "overdue", "waiting", custom_id="job-3") == ["job-3"]
    page = status.jobs(learned, None, batch_id, states=["overdue"], limit=1)
    rest = status.jobs(learned, None, batch_id, states=["overdue"], limit=1, cursor=page.next_cursor)
    assert [each.custom_id for each in (*page.items, *rest.items)] == ["job-0", "job-1"]


def test_the_api_says_all_of_it(
    learned: Runtime, clock: FrozenDateTimeFactory, client: FlaskClient, api_key: str
) -> None:
    api, batch_id = Rest(client, api_key), submitted(learned, "a", "b")
    path, expected_by = f"/api/batches/{show('batch', batch_id)}", (now() + USUAL).isoformat().replace("+00:00", "Z")
    shown = body_of(api.get(path))
    assert (shown["overdue"], sorted(shown["expected_end"])) == (0, ["from", "to"])
    clock.tick(3)
    shown = body_of(api.get(path))
    assert (shown["overdue"], shown["expected_end"]) == (2, None)
    items = body_of(api.get(f"{path}/jobs?state=overdue"))["items"]
    assert [(each["state"], each["is_overdue"], each["expected_by"]) for each in items] == [
        ("waiting", True, expected_by)
    ] * 2
    assert body_of(api.get(f"/api/jobs/{items[0]['id']}"))["expected_by"] == expected_by
    (reason,) = body_of(api.get(f"{path}/why"))["reasons"]
    assert (reason["code"], reason["expected_by"]) == ("overdue", expected_by)
    assert api.get(f"{path}/results?state=overdue").status_code == 400


# --- the end of a batch ---


def steadily(runtime: Runtime, clock: FrozenDateTimeFactory, seconds: int, per_second: int = 10) -> None:
    """A provider that takes so many jobs a second, and two seconds for each."""
    under_way = [accept(runtime, per_second)]
    for _ in range(seconds):
        look(runtime, clock)
        under_way.append(accept(runtime, per_second))
        if len(under_way) > 2:
            answer(runtime, under_way.pop(0))


def test_the_end_of_a_batch_is_expected_in_a_range_that_it_keeps(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, *["x"] * 400)
    assert batch(runtime, batch_id).expected_end is None
    steadily(runtime, clock, 20)
    end = batch(runtime, batch_id).expected_end
    assert end is not None
    assert end.latest - end.earliest < timedelta(seconds=25)
    steadily(runtime, clock, 30)
    assert batch(runtime, batch_id).status == "completed"
    finalized_at = batch(runtime, batch_id).finalized_at
    assert finalized_at is not None
    assert end.earliest <= finalized_at <= end.latest
    assert batch(runtime, batch_id).expected_end is None


@pytest.fixture
def busy(runtime: Runtime, clock: FrozenDateTimeFactory) -> Runtime:
    """A runtime that has watched its provider for a while, ten jobs a second; nothing is open."""
    submit(runtime, *["x"] * 250)
    steadily(runtime, clock, 30)
    return runtime


def test_with_nothing_queued_a_batch_ends_within_what_a_callback_takes(learned: Runtime) -> None:
    end = batch(learned, submitted(learned, "a")).expected_end
    assert end is not None
    assert (end.earliest, end.latest) == (now(), now() + USUAL)


def test_with_jobs_queued_nobody_can_say_until_a_pace_is_known(learned: Runtime) -> None:
    batch_id = submit(learned, "a", "b")
    accept(learned, 1)
    assert batch(learned, batch_id).expected_end is None


def test_few_callbacks_while_few_were_asked_for_say_nothing_of_the_pace(
    busy: Runtime, clock: FrozenDateTimeFactory
) -> None:
    for _ in range(5):
        answered(busy, clock, 2, 1)
    end = batch(busy, submit(busy, *["x"] * 100)).expected_end
    assert end is not None
    assert timedelta(seconds=8) < end.earliest - now() < timedelta(seconds=12)


def test_those_in_line_before_a_batch_are_counted_at_the_latest(busy: Runtime, clock: FrozenDateTimeFactory) -> None:
    submit(busy, *["x"] * 300)
    batch_id = submit(busy, *["x"] * 10)
    look(busy, clock)
    end = batch(busy, batch_id).expected_end
    assert end is not None
    assert timedelta(seconds=2) < end.earliest - now() < timedelta(seconds=4)
    assert timedelta(seconds=35) < end.latest - now() < timedelta(seconds=45)


def test_a_held_batch_before_it_is_not_in_line(busy: Runtime, clock: FrozenDateTimeFactory) -> None:
    pausing.pause(busy, "alice", submit(busy, *["x"] * 300), "lunch")
    batch_id = submit(busy, *["x"] * 10)
    look(busy, clock)
    end = batch(busy, batch_id).expected_end
    assert end is not None
    assert end.latest - now() < timedelta(seconds=5)


def test_the_end_is_never_expected_after_the_batch_expires(busy: Runtime) -> None:
    batch_id = submit(busy, *["x"] * 100, expires_in_seconds=12)
    end = batch(busy, batch_id).expected_end
    assert end is not None
    assert (end.latest, end.earliest < end.latest) == (batch(busy, batch_id).expires_at, True)


def test_a_rate_that_is_lower_than_the_pace_counts(busy: Runtime) -> None:
    slow = learning_from(busy, rate_per_second=1.0)
    end = batch(slow, submit(slow, *["x"] * 100)).expected_end
    assert end is not None
    assert end.earliest - now() > timedelta(seconds=75)


def test_of_a_batch_that_is_held_or_ends_nobody_can_say(busy: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(busy, "a", "b")
    assert batch(busy, batch_id).expected_end is not None
    pausing.pause(busy, "alice", batch_id, "lunch")
    assert batch(busy, batch_id).expected_end is None
    pausing.resume(busy, "alice", batch_id)
    assert batch(busy, batch_id).expected_end is not None
    batches.cancel(busy, "alice", batch_id)
    assert batch(busy, batch_id).expected_end is None


def test_while_the_provider_is_held_nobody_can_say(busy: Runtime, clock: FrozenDateTimeFactory) -> None:
    submit(busy, "first")
    record(busy, take_one(busy), Held("rate_limited", "HTTP 429", 17.0))
    batch_id = submit(busy, "a")
    assert batch(busy, batch_id).expected_end is None
    clock.tick(18)
    assert batch(busy, batch_id).expected_end is not None


def test_while_the_breaker_is_not_closed_nobody_can_say(busy: Runtime, clock: FrozenDateTimeFactory) -> None:
    submit(busy, "first", "second")
    for claimed in take(busy):
        record(busy, claimed, Unknown("http_503", "HTTP 503", 503))
    batch_id = submit(busy, "a")
    clock.tick(60)
    assert batch(busy, batch_id).expected_end is None


def test_without_a_worker_nobody_can_say(busy: Runtime) -> None:
    batch_id = submit(busy, "a")
    sweeps.end(busy, "tests")
    assert batch(busy, batch_id).expected_end is None


def test_under_settings_that_forbid_to_submit_nobody_can_say(busy: Runtime) -> None:
    batch_id = submit(busy, "a")
    forbidding = with_settings(busy, busy.settings.model_copy(update={"public_url": None}))
    assert (batch(forbidding, batch_id).expected_end, batch(busy, batch_id).expected_end is None) == (None, False)


def test_a_pace_that_was_not_watched_is_not_taken_for_one(busy: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(busy, *["x"] * 100)
    look(busy, clock)
    clock.tick(300)
    sweep(busy)
    end = batch(busy, batch_id).expected_end
    assert end is not None
    assert end.earliest - now() < timedelta(seconds=12)
    assert states(busy, batch_id) == ["queued"] * 100
