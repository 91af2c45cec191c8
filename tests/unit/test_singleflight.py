"""One run at a time; an ask meanwhile is one more run, and no ask is lost."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

import pytest

from app.singleflight import SingleFlight

WAIT_SECONDS = 20.0


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_a_run_runs_once_and_says_so() -> None:
    runs: list[int] = []
    assert SingleFlight().run("x", lambda: runs.append(1))
    assert runs == [1]


def test_asks_that_come_meanwhile_become_one_more_run(threads: ThreadPoolExecutor) -> None:
    flight = SingleFlight()
    begun, go_on = threading.Event(), threading.Event()
    runs: list[int] = []

    def action() -> None:
        runs.append(len(runs))
        begun.set()
        assert go_on.wait(WAIT_SECONDS)

    leading = threads.submit(flight.run, "x", action)
    assert begun.wait(WAIT_SECONDS)
    assert [flight.run("x", action) for _ in range(5)] == [False] * 5
    go_on.set()
    assert leading.result(WAIT_SECONDS)
    assert runs == [0, 1]


def test_an_ask_during_the_second_run_is_a_third() -> None:
    flight = SingleFlight()
    runs: list[int] = []

    def action() -> None:
        runs.append(len(runs))
        if len(runs) < 3:
            assert not flight.run("x", action)

    assert flight.run("x", action)
    assert runs == [0, 1, 2]


def test_other_names_run_side_by_side(threads: ThreadPoolExecutor) -> None:
    flight = SingleFlight()
    both = threading.Barrier(2, timeout=WAIT_SECONDS)
    one, two = (threads.submit(flight.run, name, both.wait) for name in ("x", "y"))
    assert one.result(WAIT_SECONDS)
    assert two.result(WAIT_SECONDS)


def test_a_run_that_fails_frees_the_name() -> None:
    flight = SingleFlight()

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        flight.run("x", fail)
    assert flight.run("x", lambda: None)


def test_never_two_at_a_time_and_a_run_begins_after_every_ask(threads: ThreadPoolExecutor) -> None:
    flight = SingleFlight()
    inside = threading.Lock()
    state = {"asked": 0, "seen": 0}

    def action() -> None:
        assert inside.acquire(blocking=False)
        state["seen"] = state["asked"]
        inside.release()

    def ask(_: int) -> None:
        with asking:
            state["asked"] += 1
        flight.run("x", action)

    asking = threading.Lock()
    list(threads.map(ask, range(3000)))
    assert state["seen"] == 3000


class WatchedLock:
    """A lock that does something right after its nth release."""

    def __init__(self, nth: int, then: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._left = nth
        self._then = then

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._left -= 1
        is_it = self._left == 0
        self._lock.release()
        if is_it:
            self._then()


def test_a_run_that_begins_while_another_ends_is_still_the_only_one(threads: ThreadPoolExecutor) -> None:
    flight = SingleFlight()
    begun, go_on = threading.Event(), threading.Event()

    def second() -> None:
        begun.set()
        assert go_on.wait(WAIT_SECONDS)

    def begin_second() -> None:
        following.append(threads.submit(flight.run, "x", second))
        assert begun.wait(WAIT_SECONDS)

    following: list[object] = []
    # Released first when the run is entered, then when nobody is found to have asked again.
    flight._lock = WatchedLock(2, begin_second)  # type: ignore[assignment]  # it can do what the run needs
    try:
        assert flight.run("x", lambda: None)
        assert not flight.run("x", lambda: None), "two at once"
    finally:
        go_on.set()
