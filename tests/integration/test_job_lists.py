"""Lists of jobs over all batches: whatever is asked for, each job that fits is found once, page by page."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from freezegun.api import FrozenDateTimeFactory

from app.clock import now
from app.errors import InvalidInput
from app.ids import show
from app.providers.base import Accepted
from app.runtime import Runtime
from app.services import batches, joblists, places
from app.services.joblists import JobFilter, Matching
from app.store import joblists as store
from tests.conftest import MakeRuntime
from tests.factories import deliver, job, record, submit, take
from tests.fakes import failure, success
from tests.learning import answered, learning_from


@pytest.fixture
def mixed(runtime: Runtime) -> UUID:
    """A batch of five jobs: completed, failed, cancelled, waiting, queued."""
    batch_id = submit(runtime, *"abcde", max_attempts=1)
    done, broken, gone, waits = take(runtime, 4)
    for number, claimed in enumerate((done, broken, gone, waits)):
        record(runtime, claimed, Accepted(f"task-{number}", 200))
    deliver(runtime, done.submission, success("x"))
    deliver(runtime, broken.submission, failure("9"))
    batches.cancel(runtime, None, batch_id, ["job-2"])
    return batch_id


def found(runtime: Runtime, asked: JobFilter, limit: int = 50) -> list[str]:
    """The names of the jobs that are as asked, over all pages."""
    names: list[str] = []
    cursor = None
    for _ in range(30):
        page = joblists.listing(runtime, asked, cursor, limit)
        names += [row.job.custom_id for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return names
    raise AssertionError("the list has no end")


def test_all_jobs_come_newest_first_over_pages(runtime: Runtime) -> None:
    for name in "ab":
        submit(runtime, *[name] * 3)
    listed = found(runtime, JobFilter(), limit=2)
    assert listed == ["job-2", "job-1", "job-0"] * 2
    assert found(runtime, JobFilter(), limit=6) == listed
    assert joblists.listing(runtime, JobFilter(), None, 6).next_cursor is None


@pytest.mark.parametrize(
    ("states", "names"),
    [
        (("completed",), {"job-0"}),
        (("failed",), {"job-1"}),
        (("cancelled",), {"job-2"}),
        (("waiting",), {"job-3"}),
        (("queued",), {"job-4"}),
        (("submitting",), set()),
        (("failed", "cancelled"), {"job-1", "job-2"}),
        (("queued", "waiting"), {"job-3", "job-4"}),
        (("queued", "failed"), {"job-1", "job-4"}),
        ((), {"job-0", "job-1", "job-2", "job-3", "job-4"}),
    ],
)
def test_each_state_and_several_of_them_are_found_in_all_batches_and_in_one(
    runtime: Runtime, mixed: UUID, states: tuple[str, ...], names: set[str]
) -> None:
    for asked in (JobFilter(states), JobFilter(states, batch_id=mixed)):
        for limit in (1, 2, 50):
            listed = found(runtime, asked, limit)
            assert (set(listed), len(listed)) == (names, len(names))
        assert joblists.matching(runtime, asked) == Matching(len(names), is_all=True)


def test_what_ended_last_comes_first_and_what_is_due_next_comes_first(
    runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    submit(runtime, *"abc", max_attempts=1)
    claimed = take(runtime, 3)
    for each in claimed:
        clock.tick(1)
        record(runtime, each, Accepted("task", 200))
    assert found(runtime, JobFilter(("waiting",)), 1) == ["job-0", "job-1", "job-2"]
    for each in claimed:
        clock.tick(1)
        deliver(runtime, each.submission, failure("9"))
    assert found(runtime, JobFilter(("failed",)), 1) == ["job-2", "job-1", "job-0"]
    assert found(runtime, JobFilter(("failed", "completed")), 1) == ["job-2", "job-1", "job-0"]


def test_jobs_that_ended_at_one_instant_are_all_listed(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(runtime, *["x"] * 7)
    batches.cancel(runtime, None, batch_id)
    for limit in (1, 2, 3):
        assert sorted(found(runtime, JobFilter(("cancelled",)), limit)) == [f"job-{number}" for number in range(7)]


def test_a_job_is_found_by_its_name_its_id_and_that_of_its_task(runtime: Runtime, mixed: UUID) -> None:
    other = submit(runtime, "x")
    shown = show("job", job(runtime, mixed, "job-3").job.id)
    assert found(runtime, JobFilter(name=shown)) == ["job-3"]
    assert found(runtime, JobFilter(name="task-3")) == ["job-3"]
    assert found(runtime, JobFilter(name="job-0")) == ["job-0", "job-0"]
    assert found(runtime, JobFilter(name="job-0", batch_id=other)) == ["job-0"]
    assert found(runtime, JobFilter(name=shown, batch_id=other)) == []
    assert found(runtime, JobFilter(("queued",), name="job-0")) == ["job-0"]
    assert found(runtime, JobFilter(name="nobody")) == []


def test_a_name_is_found_in_batches_that_are_not_among_the_newest(
    runtime: Runtime, mixed: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.store.search.BATCHES_AT_ONCE", 2)
    for _ in range(4):
        submit(runtime, "x")
    assert found(runtime, JobFilter(name="job-4")) == ["job-4"]


def test_errors_attempts_and_spans_of_time_narrow_a_list(runtime: Runtime, mixed: UUID) -> None:
    error = job(runtime, mixed, "job-1").job.error_code
    assert error is not None
    assert found(runtime, JobFilter(error_code=error)) == ["job-1"]
    assert found(runtime, JobFilter(("completed",), error_code=error)) == []
    assert found(runtime, JobFilter(("queued", "failed"), error_code=error)) == ["job-1"]
    assert found(runtime, JobFilter(batch_id=mixed, error_code=error)) == ["job-1"]
    assert found(runtime, JobFilter(error_code="another")) == []
    assert found(runtime, JobFilter(min_attempts=1, batch_id=mixed)) == ["job-0", "job-1", "job-2", "job-3"]
    assert set(found(runtime, JobFilter(min_attempts=1))) == {"job-0", "job-1", "job-2", "job-3"}
    minute = timedelta(minutes=1)
    for span, names in (
        ((now() - minute, None), {"job-0", "job-1", "job-2"}),
        ((now() - minute, now() + minute), {"job-0", "job-1", "job-2"}),
        ((None, now() - minute), set()),
    ):
        for batch_id in (None, mixed):
            assert set(found(runtime, JobFilter(finished=span, batch_id=batch_id))) == names
            created = set(found(runtime, JobFilter(created=span, batch_id=batch_id)))
            assert created == (names | {"job-3", "job-4"} if names else set())


def test_a_look_ends_where_it_may_go_no_further_and_says_so(
    runtime: Runtime, mixed: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LOOKED_AT", 2)
    asked = JobFilter(min_attempts=2)
    page = joblists.listing(runtime, asked, None, 50)
    assert (page.items, page.is_cut, page.next_cursor is not None) == ((), True, True)
    assert found(runtime, asked) == []
    assert set(found(runtime, JobFilter(min_attempts=1))) == {"job-0", "job-1", "job-2", "job-3"}


def test_overdue_jobs_are_those_that_wait_longer_than_nearly_all_did(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    runtime = learning_from(make_runtime(max_in_flight=1000))
    assert found(runtime, JobFilter(("overdue",))) == []
    answered(runtime, clock, 2)
    batch_id = submit(runtime, "late", "queued")
    record(runtime, take(runtime, 1)[0], Accepted("task", 200))
    assert found(runtime, JobFilter(("overdue",))) == []
    clock.tick(4)
    for asked in (JobFilter(("overdue",)), JobFilter(("overdue",), batch_id=batch_id)):
        assert found(runtime, asked) == ["job-0"]
    assert found(runtime, JobFilter(("overdue", "queued"))) == ["job-1", "job-0"]
    (row,) = joblists.listing(runtime, JobFilter(("overdue",)), None, 50).items
    assert row.job.is_overdue


def test_the_latency_of_an_answer_is_told_from_its_submit_on(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(runtime, "a", "b")
    (claimed,) = take(runtime, 1)
    record(runtime, claimed, Accepted("task", 200))
    clock.tick(2.5)
    deliver(runtime, claimed.submission, success("x"))
    rows = joblists.listing(runtime, JobFilter(batch_id=batch_id), None, 50).items
    assert [row.latency_seconds for row in rows] == [2.5, None]


def test_jobs_of_a_batch_that_was_removed_are_in_no_list(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    batch_id = submit(runtime, *["x"] * 5)
    batches.cancel(runtime, None, batch_id)
    kept = submit(runtime, "y")
    monkeypatch.setattr("app.services.removal.remove_chunk", lambda *_: False)  # the sweep has not come yet
    batches.delete(runtime, None, batch_id)
    assert found(runtime, JobFilter(), limit=2) == ["job-0"]
    assert found(runtime, JobFilter(("cancelled",)), limit=2) == []
    assert found(runtime, JobFilter(name="job-0")) == ["job-0"]
    assert joblists.listing(runtime, JobFilter(), None, 50).items[0].job.batch_id == kept


@pytest.mark.parametrize(
    "cursor", ["x", "newest.0.0", "ended.1.00000000000000000000000000000000", "newest..", f"newest.0.{'g' * 32}"]
)
def test_a_cursor_of_another_list_is_refused(runtime: Runtime, cursor: str) -> None:
    with pytest.raises(InvalidInput):
        joblists.listing(runtime, JobFilter(), cursor, 50)


def test_an_unknown_state_is_refused(runtime: Runtime) -> None:
    with pytest.raises(InvalidInput):
        joblists.listing(runtime, JobFilter(("gone",)), None, 50)


def test_places_are_exact_to_the_microsecond() -> None:
    at = datetime.fromisoformat("2026-03-01T12:00:00.123457+00:00")
    place = (at, UUID(int=7))
    assert places.read("ended", places.write("ended", place)) == place
