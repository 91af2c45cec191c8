"""Everything at once: threads that claim, record, call back, sweep, cancel and retry, on one database."""

import threading
from collections import Counter
from collections.abc import Callable
from queue import Empty, Queue
from uuid import UUID

from app.errors import Conflict
from app.providers.base import Accepted, Submission, SubmitOutcome
from app.providers.dialogues import Dialogue
from app.runtime import Runtime
from app.services import batches
from tests.conftest import MakeRuntime
from tests.factories import (
    PROVIDER,
    attempt_states,
    batch,
    counts,
    deliver,
    deliver_together,
    drain,
    inbox_rows,
    job,
    record,
    side_by_side,
    states,
    submit,
    sweep,
    take,
)
from tests.fakes import FakeProvider, failure, success

JOBS = 40


class ThreadedProvider(FakeProvider):
    """Hands what it accepts to those who call back; `bought` counts the submits of each prompt."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self.bought: Counter[str] = Counter()
        self.accepted: Queue[tuple[str, Submission]] = Queue()

    def submit(self, submission: Submission) -> Dialogue[SubmitOutcome]:
        with self._lock:
            self.bought[submission.text_data] += 1
            task_id = f"task-{self.bought.total()}"
        self.accepted.put((task_id, submission))
        return Accepted(task_id, 200)
        yield


def _workers(make_runtime: MakeRuntime, number: int) -> tuple[ThreadedProvider, list[Runtime]]:
    """Several processes' worth of runtimes before one provider."""
    provider, workers = ThreadedProvider(), [make_runtime() for _ in range(number)]
    for worker in workers:
        worker.providers[PROVIDER] = provider  # type: ignore[index]  # one provider for all
    return provider, workers


def _call_back(worker: Runtime, provider: ThreadedProvider, is_over: Callable[[], bool]) -> Callable[[], None]:
    """Deliver what the provider has, twice each, until there is nothing more to come."""

    def run() -> None:
        while not is_over():
            try:
                task_id, submitted = provider.accepted.get(timeout=0.02)
            except Empty:
                continue
            body = success(f"answer to {submitted.text_data}", task_id=task_id, metadata=submitted.metadata)
            for _ in range(2):
                deliver(worker, submitted, body)

    return run


def _is_done(worker: Runtime, batch_id: UUID, number: int) -> Callable[[], bool]:
    return lambda: counts(worker, batch_id) == {"completed": number}


def test_every_job_is_bought_once_and_meets_its_answer(make_runtime: MakeRuntime) -> None:
    provider, (one, two) = _workers(make_runtime, 2)
    batch_id = submit(one, *map(str, range(JOBS)))
    is_over = _is_done(one, batch_id, JOBS)
    deliverers = [_call_back(worker, provider, is_over) for worker in (one, two, two)]
    side_by_side(lambda: drain(one), lambda: drain(two), lambda: drain(one), *deliverers)
    found = [job(one, batch_id, f"job-{number}") for number in range(JOBS)]
    assert provider.bought == Counter(map(str, range(JOBS)))
    assert [each.result and each.result.text for each in found] == [f"answer to {number}" for number in range(JOBS)]
    assert {tuple(attempt_states(each)) for each in found} == {("completed",)}
    assert [row.times for row in inbox_rows(one)] == [2] * JOBS
    assert (batch(one, batch_id).status, batch(one, batch_id).duplicates) == ("completed", JOBS)


def test_numbers_of_attempts_have_no_gaps_when_failures_and_claims_race(make_runtime: MakeRuntime) -> None:
    one, two = make_runtime(backoff_base_seconds=1e-6), make_runtime(backoff_base_seconds=1e-6)
    batch_id = submit(one, *map(str, range(10)), max_attempts=4)

    def work(worker: Runtime) -> None:
        while set(states(worker, batch_id)) != {"failed"}:
            for claimed in take(worker, 3):
                record(worker, claimed, Accepted(f"task-{claimed.attempt_id}", 200))
                deliver(worker, claimed.submission, failure("5"))

    side_by_side(*[lambda worker=worker: work(worker) for worker in (one, two, one, two)])
    found = [job(one, batch_id, f"job-{number}") for number in range(10)]
    assert {tuple(attempt.number for attempt in each.attempts) for each in found} == {(1, 2, 3, 4)}
    assert {each.job.attempts for each in found} == {4}
    assert counts(one, batch_id) == {"failed": 10}


def test_groups_that_name_the_same_jobs_in_other_orders_do_not_block_each_other(make_runtime: MakeRuntime) -> None:
    one, two = make_runtime(), make_runtime()
    batch_id = submit(one, *map(str, range(30)))
    told = [(claimed.submission, success("x")) for claimed in take(one)]
    late = [(submitted, success("y")) for submitted, _ in told]
    groups = [(one, told), (two, told[::-1]), (one, late), (two, late[::-1])]
    for _ in range(8):
        side_by_side(*[lambda worker=worker, group=group: deliver_together(worker, *group) for worker, group in groups])
    assert counts(one, batch_id) == {"completed": 30}
    assert sum(row.times for row in inbox_rows(one)) == 8 * 120


def test_a_storm_of_everything_leaves_every_batch_ended_and_every_count_true(make_runtime: MakeRuntime) -> None:
    provider, (one, two) = _workers(make_runtime, 2)
    steady = submit(one, *[f"steady-{number}" for number in range(JOBS)])
    shaken = submit(one, *[f"shaken-{number}" for number in range(JOBS)])
    stormy = threading.Event()
    stormy.set()

    def is_over() -> bool:
        return not stormy.is_set() and _is_done(one, steady, JOBS)() and _is_done(one, shaken, JOBS)()

    def work(worker: Runtime) -> None:
        while not is_over():
            drain(worker)
            sweep(worker)

    def shake() -> None:
        try:
            for _ in range(6):
                _quietly(lambda: batches.cancel(two, "alice", shaken))
                _quietly(lambda: batches.retry(one, "alice", shaken, None))
        finally:
            stormy.clear()

    deliverers = [_call_back(worker, provider, is_over) for worker in (one, two)]
    side_by_side(lambda: work(one), lambda: work(two), shake, *deliverers)
    sweep(one)
    for batch_id in (steady, shaken):
        assert batch(one, batch_id).finalized_at is not None
        assert Counter(states(one, batch_id)) == counts(one, batch_id) == {"completed": JOBS}
    assert {provider.bought[f"steady-{number}"] for number in range(JOBS)} == {1}


def _quietly(action: Callable[[], object]) -> None:
    """An owner's wish that comes too late for the batch is refused; that the database is away is not expected."""
    try:
        action()
    except Conflict:
        return


def test_creating_deleting_and_calling_back_do_not_disturb_each_other(make_runtime: MakeRuntime) -> None:
    one, two = make_runtime(), make_runtime()

    def live(worker: Runtime, owner: str) -> list[str]:
        lives = []
        for _ in range(5):
            batch_id = submit(worker, "a", "b", owner=owner)
            for claimed in take(worker):
                deliver(worker, claimed.submission, success("x"))
            while batch(worker, batch_id).finalized_at is None:
                sweep(worker)
            lives.append(batch(worker, batch_id).status)
            batches.delete(worker, owner, batch_id)
        return lives

    lived = side_by_side(
        *[lambda w=worker, n=number: live(w, f"o-{n}") for number, worker in enumerate([one, two] * 2)]
    )
    assert lived == [["completed"] * 5] * 4
    assert inbox_rows(one) == []
