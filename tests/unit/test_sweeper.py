"""The sweeper of a worker: whatever breaks, the rest has its turn and the worker shows that it lives."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace

import pytest

from app.config import Settings
from app.providers.base import Accepted, Lookup, Submission
from app.runtime import Runtime, build
from app.services import sweeps
from app.services.health import readiness
from app.singleflight import SingleFlight
from tests.conftest import make_settings
from tests.factories import PROVIDER, attempt_states, counts, drain, interposed, job, submit, take
from tests.fakes import FakeProvider, RecordingDoorbell
from workers.sweeper import Sweeper

TINY = 0.0001


class Pauses(threading.Event):
    """The runtime's `sweeping_due`, which tells when a sweep is over: `ended` gets how long it means to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: SimpleQueue[float | None] = SimpleQueue()

    def wait(self, timeout: float | None = None) -> bool:
        self.ended.put(timeout)
        return super().wait(timeout)


class Swept:
    """A worker that consists of its sweeper; it sweeps when it is told to, and as seldom as its settings allow."""

    def __init__(self, runtime: Runtime) -> None:
        self._pauses = Pauses()
        self._worker = SimpleNamespace(
            app=SimpleNamespace(hivebatch=replace(runtime, sweeping_due=self._pauses)), hostname="worker-1"
        )
        self.sweeper = Sweeper(self._worker)

    def start(self) -> None:
        """Start; returns when the first sweep is over."""
        self.sweeper.start(self._worker)
        self._pauses.ended.get(timeout=20)

    def again(self) -> None:
        """Sweep once more."""
        self._pauses.set()
        self._pauses.ended.get(timeout=20)

    def stop(self) -> None:
        self.sweeper.stop(self._worker)


class Unaskable(FakeProvider):
    """A provider that breaks when it is asked for a task."""

    def __init__(self) -> None:
        super().__init__()
        self.can_read_back = True

    def look_up(self, task_id: str) -> Lookup:
        raise ArithmeticError(task_id)


class CountedRuns(SingleFlight):
    """Counts how often somebody wanted the queue looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def run(self, name: str, action: Callable[[], object]) -> bool:
        self.asked += 1
        return super().run(name, action)


@pytest.fixture
def runtime(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Runtime]:
    """A runtime on SQLite whose leases and callbacks are overdue as soon as they are due."""
    path = tmp_path / "hivebatch.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    times = {"submit_timeout_seconds": TINY, "lease_seconds": 2 * TINY, "callback_timeout_seconds": TINY}
    settings = make_settings(database_url=f"sqlite:///{path}", sweep_seconds=600.0, connections=1, **times)
    built = with_provider(build(settings, RecordingDoorbell()), FakeProvider())
    yield built
    built.close()


def with_provider(runtime: Runtime, provider: FakeProvider) -> Runtime:
    return replace(runtime, providers={PROVIDER: provider})


def unhurried(runtime: Runtime, **times: float) -> Runtime:
    """`runtime` with time enough to send something, and these times."""
    usual = make_settings()
    names = ("submit_timeout_seconds", "lease_seconds", "callback_timeout_seconds")
    changed: Mapping[str, object] = {name: getattr(usual, name) for name in names} | times
    return replace(runtime, settings=Settings(**{**runtime.settings.model_dump(), **changed}))


def workers(runtime: Runtime) -> list[str]:
    return [view.worker for view in readiness(runtime).workers]


def broken() -> None:
    raise ArithmeticError("the test says so")


def test_a_step_that_breaks_keeps_neither_the_others_nor_the_sign_of_life_from_their_turn(runtime: Runtime) -> None:
    lost = submit(runtime, "its worker is gone")
    take(runtime)
    expired = submit(runtime, "nobody came", expires_in_seconds=TINY)
    # A worker begins with a transaction of its own; the second is the one in which leases end.
    worker = Swept(interposed(runtime, before={2: broken}))
    worker.start()
    assert worker.sweeper.failures == 1
    assert (counts(runtime, lost), counts(runtime, expired)) == ({"submitting": 1}, {"failed": 1})
    assert workers(runtime) == ["worker-1"]
    worker.again()
    assert (worker.sweeper.failures, counts(runtime, lost)) == (1, {"waiting": 1})
    worker.stop()


def test_a_provider_that_breaks_when_it_is_asked_is_counted_and_the_rest_goes_on(runtime: Runtime) -> None:
    late = with_provider(unhurried(runtime, callback_timeout_seconds=TINY), Unaskable())
    overdue = submit(late, "a")
    drain(late)
    worker = Swept(late)
    worker.start()
    worker.again()
    assert worker.sweeper.failures == 2
    assert attempt_states(job(runtime, overdue)) == ["waiting"]
    assert workers(runtime) == ["worker-1"]
    worker.stop()


def test_a_sweep_that_finds_work_does_not_queue_a_second_drain_behind_one_that_runs(runtime: Runtime) -> None:
    is_sending, answer = threading.Event(), threading.Event()

    def slowly(_: Submission) -> Accepted:
        is_sending.set()
        assert answer.wait(20)
        return Accepted("task-1", 200)

    provider, runs = FakeProvider(), CountedRuns()
    provider.script.append(slowly)
    busy = replace(unhurried(with_provider(runtime, provider)), drains=runs)
    batch_id = submit(busy, "a", "b")
    worker = Swept(busy)
    worker.start()
    assert is_sending.wait(20)
    for _ in range(3):
        worker.again()
    assert sweeps.sweep(busy, "another").due_providers == (PROVIDER,)
    answer.set()
    worker.stop()
    assert runs.asked == 1
    assert counts(runtime, batch_id)["waiting"] >= 1


def test_a_drain_that_has_ended_is_followed_by_the_next(runtime: Runtime) -> None:
    runs = CountedRuns()
    idle = replace(unhurried(runtime), drains=runs)
    worker = Swept(idle)
    worker.start()
    deadline = time.monotonic() + 20
    for _ in range(2):
        batch_id = submit(idle, "a")
        while counts(idle, batch_id) != {"waiting": 1}:
            assert time.monotonic() < deadline, "nobody drained"
            worker.again()
    assert runs.asked >= 2
    worker.stop()


def test_a_worker_that_ends_takes_its_leave(runtime: Runtime) -> None:
    worker = Swept(runtime)
    worker.start()
    assert workers(runtime) == ["worker-1"]
    worker.stop()
    assert workers(runtime) == []
    assert worker.sweeper.failures == 0


def test_a_worker_that_never_started_can_be_stopped(runtime: Runtime) -> None:
    worker = Swept(runtime)
    worker.stop()
    assert runtime.stopping.is_set()
    assert worker.sweeper.failures == 0
