"""Group commit: who comes together shares a write; each caller gets its own result, or its own error."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from app.commits import GroupCommit
from app.errors import DatabaseBusy, DatabaseUnavailable

WAIT_SECONDS = 20.0


class Writer:
    """Writes groups, remembers them, and stands still in the first one until it is let go."""

    def __init__(self, answer: Callable[[Sequence[int]], Sequence[str]] | None = None) -> None:
        self.groups: list[list[int]] = []
        self.threads: list[int] = []
        self.has_begun = threading.Event()
        self.may_go_on = threading.Event()
        self._answer = answer or (lambda group: [f"result {item}" for item in group])

    def __call__(self, group: Sequence[int]) -> Sequence[str]:
        self.groups.append(list(group))
        self.threads.append(threading.get_ident())
        if not self.has_begun.is_set():
            self.has_begun.set()
            assert self.may_go_on.wait(WAIT_SECONDS)
            return [f"result {item}" for item in group]
        return self._answer(group)


@pytest.fixture
def callers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as pool:
        yield pool


def until(is_so: Callable[[], bool]) -> None:
    """Return as soon as another thread has made it so."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


def gather(
    commits: GroupCommit[int, str], writer: Writer, callers: ThreadPoolExecutor, items: Sequence[int]
) -> tuple[Future[str], list[Future[str]]]:
    """Item 0 is being written while `items` queue up behind it, in this order; then it is let go."""
    first = callers.submit(commits.submit, 0, writer)
    assert writer.has_begun.wait(WAIT_SECONDS)
    waiting = []
    for number, item in enumerate(items, start=1):
        waiting.append(callers.submit(commits.submit, item, writer))
        until(lambda number=number: len(commits._queue) == number)  # type: ignore[misc]  # bound on purpose
    writer.may_go_on.set()
    return first, waiting


def test_a_lone_caller_writes_at_once_and_alone() -> None:
    commits: GroupCommit[int, str] = GroupCommit()
    writer = Writer()
    writer.may_go_on.set()
    assert commits.submit(7, writer) == "result 7"
    assert writer.groups == [[7]]
    assert writer.threads == [threading.get_ident()]


def test_calls_one_after_the_other_are_groups_of_one() -> None:
    commits: GroupCommit[int, str] = GroupCommit()
    writer = Writer()
    writer.may_go_on.set()
    assert [commits.submit(item, writer) for item in (1, 2, 3)] == ["result 1", "result 2", "result 3"]
    assert writer.groups == [[1], [2], [3]]


def test_those_who_gather_during_one_commit_are_the_next_group(callers: ThreadPoolExecutor) -> None:
    commits: GroupCommit[int, str] = GroupCommit()
    writer = Writer()
    first, waiting = gather(commits, writer, callers, [1, 2, 3, 4, 5])
    assert first.result(WAIT_SECONDS) == "result 0"
    assert [one.result(WAIT_SECONDS) for one in waiting] == [f"result {item}" for item in (1, 2, 3, 4, 5)]
    assert writer.groups == [[0], [1, 2, 3, 4, 5]]


def test_more_than_the_most_become_several_groups_in_order(callers: ThreadPoolExecutor) -> None:
    commits: GroupCommit[int, str] = GroupCommit(most=3)
    writer = Writer()
    _, waiting = gather(commits, writer, callers, range(1, 9))
    assert [one.result(WAIT_SECONDS) for one in waiting] == [f"result {item}" for item in range(1, 9)]
    assert writer.groups == [[0], [1, 2, 3], [4, 5, 6], [7, 8]]


def test_nobody_has_a_result_before_the_write_has_returned(callers: ThreadPoolExecutor) -> None:
    commits: GroupCommit[int, str] = GroupCommit()
    writer = Writer()
    first = callers.submit(commits.submit, 0, writer)
    assert writer.has_begun.wait(WAIT_SECONDS)
    assert not first.done()
    writer.may_go_on.set()
    assert first.result(WAIT_SECONDS) == "result 0"


def test_equal_items_each_get_a_result_of_their_own(callers: ThreadPoolExecutor) -> None:
    commits: GroupCommit[int, str] = GroupCommit()
    writer = Writer(lambda group: [f"{position} of {len(group)}" for position, _ in enumerate(group)])
    _, waiting = gather(commits, writer, callers, [4, 4, 4])
    assert [one.result(WAIT_SECONDS) for one in waiting] == ["0 of 3", "1 of 3", "2 of 3"]


def test_a_bad_item_fails_alone(callers: ThreadPoolExecutor) -> None:
    def answer(group: Sequence[int]) -> Sequence[str]:
        if 13 in group:
            raise ValueError("13 can't be written")
        return [f"result {item}" for item in group]

    commits: GroupCommit[int, str] = GroupCommit()
    writer = Writer(answer)
    _, (one, bad, three) = gather(commits, writer, callers, [1, 13, 3])
    assert one.result(WAIT_SECONDS) == "result 1"
    assert three.result(WAIT_SECONDS) == "result 3"
    with pytest.raises(ValueError, match="13"):
        bad.result(WAIT_SECONDS)
    assert writer.groups == [[0], [1, 13, 3], [1], [13], [3]]


def test_a_lone_bad_item_is_tried_once() -> None:
    def fail(group: Sequence[int]) -> Sequence[str]:
        tried.append(group)
        raise ValueError("no")

    tried: list[Sequence[int]] = []
    commits: GroupCommit[int, str] = GroupCommit()
    with pytest.raises(ValueError, match="no"):
        commits.submit(1, fail)
    assert len(tried) == 1


def test_with_the_database_away_all_fail_at_once_and_none_is_tried_alone(callers: ThreadPoolExecutor) -> None:
    def answer(_: Sequence[int]) -> Sequence[str]:
        raise DatabaseUnavailable("gone")

    commits: GroupCommit[int, str] = GroupCommit()
    writer = Writer(answer)
    _, waiting = gather(commits, writer, callers, [1, 2, 3])
    for one in waiting:
        with pytest.raises(DatabaseUnavailable, match="gone"):
            one.result(WAIT_SECONDS)
    assert writer.groups == [[0], [1, 2, 3]]


def test_with_the_database_busy_each_is_tried_alone(callers: ThreadPoolExecutor) -> None:
    def answer(group: Sequence[int]) -> Sequence[str]:
        if len(group) > 1:
            raise DatabaseBusy("deadlock")
        return [f"result {item}" for item in group]

    commits: GroupCommit[int, str] = GroupCommit()
    writer = Writer(answer)
    _, waiting = gather(commits, writer, callers, [1, 2])
    assert [one.result(WAIT_SECONDS) for one in waiting] == ["result 1", "result 2"]


def test_an_interrupted_write_yields_no_result_to_anybody(callers: ThreadPoolExecutor) -> None:
    def answer(_: Sequence[int]) -> Sequence[str]:
        raise SystemExit("the process ends")

    commits: GroupCommit[int, str] = GroupCommit()
    writer = Writer(answer)
    _, waiting = gather(commits, writer, callers, [1, 2, 3])
    errors = [one.exception(WAIT_SECONDS) for one in waiting]
    assert sorted(type(error).__name__ for error in errors) == ["RuntimeError", "RuntimeError", "SystemExit"]
    assert writer.groups == [[0], [1, 2, 3]]


def test_after_an_interrupted_write_the_next_caller_writes() -> None:
    def interrupted(_: Sequence[int]) -> Sequence[str]:
        raise KeyboardInterrupt

    commits: GroupCommit[int, str] = GroupCommit()
    with pytest.raises(KeyboardInterrupt):
        commits.submit(1, interrupted)
    assert commits.submit(2, lambda group: [f"result {item}" for item in group]) == "result 2"


def test_a_write_that_returns_too_few_results_is_an_error_for_whoever_has_none(callers: ThreadPoolExecutor) -> None:
    commits: GroupCommit[int, str] = GroupCommit()
    writer = Writer(lambda group: [f"result {item}" for item in group][:-1])
    _, waiting = gather(commits, writer, callers, [1, 2])
    assert waiting[1].exception(WAIT_SECONDS) is not None
    assert commits.submit(3, lambda _: ["result 3"]) == "result 3"


def test_many_callers_at_once_each_get_their_own_result(callers: ThreadPoolExecutor) -> None:
    commits: GroupCommit[int, str] = GroupCommit(most=7)
    written: list[int] = []

    def write(group: Sequence[int]) -> Sequence[str]:
        written.extend(group)
        return [f"result {item}" for item in group]

    items = range(2000)
    results = list(callers.map(lambda item: commits.submit(item, write), items))
    assert results == [f"result {item}" for item in items]
    assert sorted(written) == list(items)
