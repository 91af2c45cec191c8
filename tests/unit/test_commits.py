"""Group commit: who comes together shares a write; each caller gets its own result, or its own error."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import pytest

from app.commits import GroupCommit
from app.errors import DatabaseBusy, DatabaseUnavailable

WAIT_SECONDS = 20.0


class Writer:
    """Writes groups, remembers them, and stands still in the first one until it is let go."""

    def __init__(self, answer: Callable[[Sequence[int]], Sequence[str | Exception]] | None = None) -> None:
        self.groups: list[list[int]] = []
        self.has_begun = threading.Event()
        self.may_go_on = threading.Event()
        self._answer = answer or results

    def __call__(self, group: Sequence[int]) -> Sequence[str | Exception]:
        self.groups.append(list(group))
        if not self.has_begun.is_set():
            self.has_begun.set()
            assert self.may_go_on.wait(WAIT_SECONDS)
            return results(group)
        return self._answer(group)


@pytest.fixture
def commits() -> Iterator[GroupCommit[int, str]]:
    with closing(GroupCommit[int, str]()) as made:
        yield made


@pytest.fixture
def small_groups() -> Iterator[GroupCommit[int, str]]:
    """Three items at most share a commit, and five may wait."""
    with closing(GroupCommit[int, str](most=3, most_waiting=8)) as made:
        yield made


def results(group: Sequence[int]) -> list[str]:
    return [f"result {item}" for item in group]


def gather(
    commits: GroupCommit[int, str], writer: Writer, items: Sequence[int]
) -> tuple[Future[str], list[Future[str]]]:
    """Item 0 is being written while `items` queue up behind it, in this order; then it is let go."""
    first = commits.submit(0, writer)
    assert writer.has_begun.wait(WAIT_SECONDS)
    waiting = [commits.submit(item, writer) for item in items]
    writer.may_go_on.set()
    return first, waiting


def test_a_lone_caller_writes_at_once_and_alone(commits: GroupCommit[int, str]) -> None:
    writer = Writer()
    writer.may_go_on.set()
    assert commits.submit(7, writer).result(WAIT_SECONDS) == "result 7"
    assert writer.groups == [[7]]


def test_calls_one_after_the_other_are_groups_of_one(commits: GroupCommit[int, str]) -> None:
    writer = Writer()
    writer.may_go_on.set()
    assert [commits.submit(item, writer).result(WAIT_SECONDS) for item in (1, 2, 3)] == [
        "result 1",
        "result 2",
        "result 3",
    ]
    assert writer.groups == [[1], [2], [3]]


def test_those_who_gather_during_one_commit_are_the_next_group(commits: GroupCommit[int, str]) -> None:
    writer = Writer()
    first, waiting = gather(commits, writer, [1, 2, 3, 4, 5])
    assert first.result(WAIT_SECONDS) == "result 0"
    assert [one.result(WAIT_SECONDS) for one in waiting] == [f"result {item}" for item in (1, 2, 3, 4, 5)]
    assert writer.groups == [[0], [1, 2, 3, 4, 5]]


def test_more_than_the_most_become_several_groups_in_order(small_groups: GroupCommit[int, str]) -> None:
    writer = Writer()
    _, waiting = gather(small_groups, writer, range(1, 9))
    assert [one.result(WAIT_SECONDS) for one in waiting] == [f"result {item}" for item in range(1, 9)]
    assert writer.groups == [[0], [1, 2, 3], [4, 5, 6], [7, 8]]


def test_who_comes_when_too_many_wait_is_refused_and_the_others_are_not(small_groups: GroupCommit[int, str]) -> None:
    writer = Writer()
    first = small_groups.submit(0, writer)
    assert writer.has_begun.wait(WAIT_SECONDS)
    waiting = [small_groups.submit(item, writer) for item in range(1, 9)]
    with pytest.raises(DatabaseBusy, match="8 wait"):
        small_groups.submit(9, writer)
    writer.may_go_on.set()
    assert [one.result(WAIT_SECONDS) for one in (first, *waiting)] == [f"result {item}" for item in range(9)]


def test_nobody_has_a_result_before_the_write_has_returned(commits: GroupCommit[int, str]) -> None:
    writer = Writer()
    first = commits.submit(0, writer)
    assert writer.has_begun.wait(WAIT_SECONDS)
    assert not first.done()
    writer.may_go_on.set()
    assert first.result(WAIT_SECONDS) == "result 0"


def test_equal_items_each_get_a_result_of_their_own(commits: GroupCommit[int, str]) -> None:
    writer = Writer(lambda group: [f"{position} of {len(group)}" for position, _ in enumerate(group)])
    _, waiting = gather(commits, writer, [4, 4, 4])
    assert [one.result(WAIT_SECONDS) for one in waiting] == ["0 of 3", "1 of 3", "2 of 3"]


def test_a_bad_item_fails_alone(commits: GroupCommit[int, str]) -> None:
    def answer(group: Sequence[int]) -> Sequence[str]:
        if 13 in group:
            raise ValueError("13 can't be written")
        return results(group)

    writer = Writer(answer)
    _, (one, bad, three) = gather(commits, writer, [1, 13, 3])
    assert one.result(WAIT_SECONDS) == "result 1"
    assert three.result(WAIT_SECONDS) == "result 3"
    with pytest.raises(ValueError, match="13"):
        bad.result(WAIT_SECONDS)
    assert writer.groups == [[0], [1, 13, 3], [1], [13], [3]]


def test_a_lone_bad_item_is_tried_once(commits: GroupCommit[int, str]) -> None:
    def fail(group: Sequence[int]) -> Sequence[str]:
        tried.append(group)
        raise ValueError("no")

    tried: list[Sequence[int]] = []
    assert str(commits.submit(1, fail).exception(WAIT_SECONDS)) == "no"
    assert len(tried) == 1


def test_an_item_may_fail_by_itself_in_a_group_that_was_written(commits: GroupCommit[int, str]) -> None:
    def answer(group: Sequence[int]) -> Sequence[str | Exception]:
        return [DatabaseUnavailable("gone") if item == 2 else f"result {item}" for item in group]

    writer = Writer(answer)
    _, (one, two) = gather(commits, writer, [1, 2])
    assert one.result(WAIT_SECONDS) == "result 1"
    assert isinstance(two.exception(WAIT_SECONDS), DatabaseUnavailable)
    assert writer.groups == [[0], [1, 2]]


def test_with_the_database_away_all_fail_at_once_and_none_is_tried_alone(commits: GroupCommit[int, str]) -> None:
    def answer(_: Sequence[int]) -> Sequence[str]:
        raise DatabaseUnavailable("gone")

    writer = Writer(answer)
    _, waiting = gather(commits, writer, [1, 2, 3])
    for one in waiting:
        with pytest.raises(DatabaseUnavailable, match="gone"):
            one.result(WAIT_SECONDS)
    assert writer.groups == [[0], [1, 2, 3]]


def test_with_the_database_busy_each_is_tried_alone(commits: GroupCommit[int, str]) -> None:
    def answer(group: Sequence[int]) -> Sequence[str]:
        if len(group) > 1:
            raise DatabaseBusy("deadlock")
        return results(group)

    writer = Writer(answer)
    _, waiting = gather(commits, writer, [1, 2])
    assert [one.result(WAIT_SECONDS) for one in waiting] == ["result 1", "result 2"]


def test_an_interrupted_write_yields_no_result_to_anybody(commits: GroupCommit[int, str]) -> None:
    def answer(_: Sequence[int]) -> Sequence[str]:
        raise SystemExit("the process ends")

    writer = Writer(answer)
    _, waiting = gather(commits, writer, [1, 2, 3])
    assert ["interrupted" in str(one.exception(WAIT_SECONDS)) for one in waiting] == [True] * 3
    assert writer.groups == [[0], [1, 2, 3]]


def test_after_an_interrupted_write_the_next_item_is_written(commits: GroupCommit[int, str]) -> None:
    def interrupted(_: Sequence[int]) -> Sequence[str]:
        raise SystemExit

    assert isinstance(commits.submit(1, interrupted).exception(WAIT_SECONDS), RuntimeError)
    assert commits.submit(2, results).result(WAIT_SECONDS) == "result 2"


def test_a_write_that_returns_too_few_results_is_an_error_for_all(commits: GroupCommit[int, str]) -> None:
    writer = Writer(lambda group: results(group)[:-1])
    _, waiting = gather(commits, writer, [1, 2])
    assert [isinstance(one.exception(WAIT_SECONDS), AssertionError) for one in waiting] == [True, True]
    assert commits.submit(3, results).result(WAIT_SECONDS) == "result 3"


def test_what_follows_from_a_group_comes_after_its_answers_and_before_the_next_group(
    commits: GroupCommit[int, str],
) -> None:
    seen: list[tuple[bool, Sequence[str], int]] = []

    def after(done: Sequence[str]) -> None:
        seen.append((first.done(), done, len(writer.groups)))

    writer = Writer()
    first = commits.submit(0, writer, after)
    assert writer.has_begun.wait(WAIT_SECONDS)
    commits.submit(1, writer, after)
    writer.may_go_on.set()
    commits.wait_until_idle()
    assert seen == [(True, ["result 0"], 1), (True, ["result 1"], 2)]


def test_what_follows_may_break_and_the_next_group_is_written_all_the_same(commits: GroupCommit[int, str]) -> None:
    def after(_: Sequence[str]) -> None:
        raise ValueError("of the test")

    assert commits.submit(1, results, after).result(WAIT_SECONDS) == "result 1"
    assert commits.submit(2, results, after).result(WAIT_SECONDS) == "result 2"


def test_who_has_gone_is_written_too_and_disturbs_nobody(commits: GroupCommit[int, str]) -> None:
    writer = Writer()
    first = commits.submit(0, writer)
    assert writer.has_begun.wait(WAIT_SECONDS)
    gone, other = commits.submit(1, writer), commits.submit(2, writer)
    assert gone.cancel()
    writer.may_go_on.set()
    assert (first.result(WAIT_SECONDS), other.result(WAIT_SECONDS)) == ("result 0", "result 2")
    assert writer.groups == [[0], [1, 2]]


def test_what_has_gathered_is_written_before_it_closes() -> None:
    commits: GroupCommit[int, str] = GroupCommit()
    writer = Writer()
    commits.submit(0, writer)
    assert writer.has_begun.wait(WAIT_SECONDS)
    waiting = commits.submit(1, writer)
    writer.may_go_on.set()
    commits.close()
    assert waiting.result(0) == "result 1"


def test_many_callers_at_once_each_get_their_own_result(commits: GroupCommit[int, str]) -> None:
    written: list[int] = []

    def write(group: Sequence[int]) -> Sequence[str]:
        written.extend(group)
        return results(group)

    items = range(2000)
    with ThreadPoolExecutor(40) as callers:
        answers = list(callers.map(lambda item: commits.submit(item, write).result(WAIT_SECONDS), items))
    assert answers == results(items)
    assert sorted(written) == list(items)
