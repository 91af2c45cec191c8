"""Lists of batches: every one that is as asked once, newest first, whatever page it is on."""

from datetime import timedelta
from uuid import UUID

import pytest
from freezegun.api import FrozenDateTimeFactory

from app import ids
from app.errors import InvalidInput
from app.runtime import Runtime
from app.services import batches, batchlists, creation, pausing
from app.services.batchlists import STATUSES, BatchFilter
from app.services.views import NewBatch, NewJob
from app.store import batchlists as store
from tests.factories import batch, deliver, submit, sweep, take
from tests.fakes import success


def _named(runtime: Runtime, name: str | None, owner: str = "alice") -> UUID:
    return creation.create(runtime, NewBatch(owner=owner, name=name), [NewJob("a", "x", {})]).batch.id


def _listed(runtime: Runtime, asked: BatchFilter, limit: int = 2) -> list[UUID]:
    """All that are listed, page by page."""
    found, cursor = list[UUID](), None
    for _ in range(50):
        page = batchlists.listing(runtime, asked, cursor, limit)
        found += [each.id for each in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found
    raise AssertionError("the list has no end")


@pytest.fixture
def each_status(runtime: Runtime, clock: FrozenDateTimeFactory) -> dict[str, UUID]:
    """One batch of each status that a stored batch can have."""
    found = {"expired": submit(runtime, "a", expires_in_seconds=60)}
    clock.tick(timedelta(seconds=61))
    sweep(runtime)
    found["completed"] = submit(runtime, "a")
    (claimed,) = take(runtime)
    deliver(runtime, claimed.submission, success())
    found["cancelled"] = submit(runtime, "a")
    batches.cancel(runtime, None, found["cancelled"])
    found["paused"] = submit(runtime, "a")
    pausing.pause(runtime, None, found["paused"], "lunch")
    found["in_progress"] = submit(runtime, "a")
    return found


def test_each_status_lists_the_batches_that_have_it(runtime: Runtime, each_status: dict[str, UUID]) -> None:
    assert {status: batch(runtime, each).status for status, each in each_status.items()} == {
        status: status for status in each_status
    }
    for status in STATUSES:
        expected = [each_status[status]] if status in each_status else []
        assert _listed(runtime, BatchFilter((status,))) == expected, status


def test_several_statuses_list_what_has_any_of_them_newest_first(
    runtime: Runtime, each_status: dict[str, UUID]
) -> None:
    wanted = ("expired", "paused", "completed")
    assert _listed(runtime, BatchFilter(wanted)) == sorted((each_status[status] for status in wanted), reverse=True)
    assert _listed(runtime, BatchFilter(STATUSES)) == sorted(each_status.values(), reverse=True)


def test_a_hold_that_has_ended_pauses_nothing(
    runtime: Runtime, each_status: dict[str, UUID], clock: FrozenDateTimeFactory
) -> None:
    pausing.resume(runtime, None, each_status["paused"])
    assert _listed(runtime, BatchFilter(("paused",))) == []
    assert len(_listed(runtime, BatchFilter(("in_progress",)))) == 2


def test_a_part_of_a_name_finds_it_in_any_case_and_wildcards_are_letters(runtime: Runtime) -> None:
    spring, percent = _named(runtime, "Spring catalogue"), _named(runtime, "100%")
    _named(runtime, "autumn")
    _named(runtime, None)
    assert _listed(runtime, BatchFilter(name="spRING")) == [spring]
    assert _listed(runtime, BatchFilter(name="%")) == [percent]
    assert _listed(runtime, BatchFilter(name="_")) == []


def test_an_owner_is_listed_alone_and_with_other_conditions(runtime: Runtime) -> None:
    mine, theirs = _named(runtime, "spring"), _named(runtime, "spring", "bob")
    _named(runtime, "autumn", "bob")
    assert _listed(runtime, BatchFilter(owner="alice")) == [mine]
    assert _listed(runtime, BatchFilter(("in_progress",), "bob", "spr")) == [theirs]


@pytest.mark.parametrize("asked", [BatchFilter(), BatchFilter(("in_progress",)), BatchFilter(name="x")])
@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5])
def test_every_batch_stands_on_one_page_whatever_their_number(
    runtime: Runtime, asked: BatchFilter, number: int
) -> None:
    stored = [_named(runtime, f"x{each}") for each in range(number)]
    assert _listed(runtime, asked) == stored[::-1]


def test_a_look_that_finds_little_says_so_and_goes_on_where_it_ended(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest = _named(runtime, "rare")
    for _ in range(5):
        _named(runtime, "often")
    monkeypatch.setattr(store, "LOOKED_AT", 2)
    asked = BatchFilter(name="rare")
    first = batchlists.listing(runtime, asked, None, 25)
    assert (first.items, first.is_cut, first.next_cursor is None) == ((), True, False)
    assert _listed(runtime, asked) == [oldest]


def test_a_list_from_a_batch_on_keeps_it_and_tells_how_many_are_newer(runtime: Runtime) -> None:
    stored = [_named(runtime, "x") for _ in range(4)]
    top = ids.show("batch", stored[1])
    page = batchlists.listing(runtime, BatchFilter(), None, 25, top=top)
    assert ([each.id for each in page.items], page.newer) == ([stored[1], stored[0]], 2)
    assert batchlists.listing(runtime, BatchFilter(name="y"), None, 25, top=top).newer == 0
    assert batchlists.listing(runtime, BatchFilter(), None, 25).newer == 0


def test_what_is_no_status_and_no_place_is_refused(runtime: Runtime) -> None:
    with pytest.raises(InvalidInput, match="ever 'sleeping'"):
        batchlists.listing(runtime, BatchFilter(("sleeping",)), None, 25)
    for place in ({"cursor": "x"}, {"cursor": None, "top": "x"}):
        with pytest.raises(InvalidInput):
            batchlists.listing(runtime, BatchFilter(), limit=25, **place)  # type: ignore[arg-type]  # by name
