"""What a database full of finished jobs costs each thing that is done all the time: nothing, if all is well."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle, islice
from typing import Any
from uuid import UUID

from sqlalchemy import event

from app import config
from app.clock import now
from app.db import Database
from app.queue import SilentDoorbell
from app.runtime import Runtime, build
from app.services import callbacks, claims, filelists, removal, results, status, sweeps, usage, why
from app.store import removal as removal_rows
from migrations import runner
from tests.bench.filling import OWNER, Filled, callbacks_to_come, fill, open_all
from tests.bench.machine import Machine
from tests.bench.rows import pages
from tests.integration.browsers import logged_in

NAMES = (
    "growth_list_ms",
    "growth_status_ms",
    "growth_jobs_ms",
    "growth_states_ms",
    "growth_find_ms",
    "growth_job_ms",
    "growth_results_ms",
    "growth_why_ms",
    "growth_usage_ms",
    "growth_files_ms",
    "growth_admin_ms",
    "growth_page_ms",
    "growth_page_kb",
    "growth_callback_ms",
    "growth_claim_ms",
    "growth_sweep_ms",
    "growth_open_list_ms",
    "growth_open_status_ms",
    "growth_open_why_ms",
    "growth_open_states_ms",
    "growth_open_results_ms",
    "growth_open_admin_ms",
    "growth_open_claim_ms",
    "growth_open_sweep_ms",
    "growth_removal_ms",
)
"""Those with `open` in their name: while all jobs of a batch with half of them are open."""

SMALL = 100_000
"""The number of jobs that a full database is compared with."""

_TIMES = 9


def measure(machine: Machine, jobs: int) -> Mapping[str, float]:
    """Milliseconds of the slowest statement of each call, in a database with so many jobs; the best of nine calls.

    The best, because what else runs on a machine delays a statement by more than most of these take.
    """
    with _runtime(machine) as runtime, logged_in(runtime) as browser:
        filled = fill(runtime, jobs)
        found = _measured(runtime, _calls(runtime, filled) | {"growth_admin_ms": lambda: pages.visit(browser, filled)})
        found |= pages.measure(browser, filled)
        open_all(runtime, filled)
        found |= _measured(runtime, _calls_with_all_open(runtime, filled))
        found |= _measured(runtime, {"growth_open_admin_ms": lambda: pages.visit(browser, filled)})
        with runtime.database.transaction() as connection:
            removal_rows.mark(connection, filled.large_batch, now())
        return found | _measured(runtime, {"growth_removal_ms": lambda: removal.remove_marked(runtime)})


def _measured(runtime: Runtime, calls: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    return {name: _slowest_ms(runtime, call) for name, call in calls.items()}


def _calls(runtime: Runtime, filled: Filled) -> dict[str, Callable[[], object]]:
    large, middle = filled.large_batch, str(filled.jobs // 4)
    to_come = cycle(callbacks_to_come(runtime, filled))
    return {
        "growth_list_ms": lambda: status.batches(runtime, OWNER, None, 20),
        "growth_status_ms": lambda: status.batch(runtime, OWNER, large),
        "growth_jobs_ms": lambda: status.jobs(runtime, OWNER, large, cursor=middle),
        "growth_states_ms": lambda: _pages_of_states(runtime, large),
        "growth_find_ms": lambda: status.jobs(runtime, OWNER, large, custom_id=f"job-{middle}"),
        "growth_job_ms": lambda: status.job(runtime, OWNER, filled.some_job),
        "growth_results_ms": lambda: _some_results(runtime, large),
        "growth_why_ms": lambda: why.batch(runtime, OWNER, large),
        "growth_usage_ms": lambda: usage.of_batch(runtime, large),
        "growth_files_ms": lambda: filelists.page(runtime, OWNER, purpose=None, after=None, limit=100, order="desc"),
        "growth_callback_ms": lambda: callbacks.receive(runtime, *next(to_come)),
        "growth_claim_ms": lambda: claims.claim(runtime, "hive_v2", 20, is_idle=True),
        "growth_sweep_ms": lambda: sweeps.sweep(runtime, "bench"),
    }


def _calls_with_all_open(runtime: Runtime, filled: Filled) -> Mapping[str, Callable[[], object]]:
    large = filled.large_batch
    return {
        "growth_open_list_ms": lambda: status.batches(runtime, OWNER, None, 200),
        "growth_open_status_ms": lambda: status.batch(runtime, OWNER, large),
        "growth_open_why_ms": lambda: why.batch(runtime, OWNER, large),
        "growth_open_states_ms": lambda: _pages_of_states(runtime, large),
        "growth_open_results_ms": lambda: _some_results(runtime, large),
        "growth_open_claim_ms": lambda: claims.claim(runtime, "hive_v2", 20, is_idle=True),
        "growth_open_sweep_ms": lambda: sweeps.sweep(runtime, "bench"),
    }


def _pages_of_states(runtime: Runtime, batch_id: UUID) -> None:
    for states in (["completed"], ["failed", "cancelled"], ["queued", "submitting", "waiting"]):
        status.jobs(runtime, OWNER, batch_id, states=states)


def _some_results(runtime: Runtime, batch_id: UUID) -> None:
    list(islice(results.stream(runtime, OWNER, batch_id, ["completed"]).lines, 400))


def _slowest_ms(runtime: Runtime, call: Callable[[], object]) -> float:
    call()
    return min(_slowest_statement_ms(runtime, call) for _ in range(_TIMES))


def _slowest_statement_ms(runtime: Runtime, call: Callable[[], object]) -> float:
    with _timed(runtime) as took:
        call()
    return 1000 * max(took)


@contextmanager
def _timed(runtime: Runtime) -> Iterator[list[float]]:
    """The seconds of every statement that the block runs, in whatever thread."""
    began: dict[int, float] = {}
    took: list[float] = []

    def before(_connection: Any, cursor: Any, *_: Any) -> None:
        began[id(cursor)] = time.perf_counter()

    def after(_connection: Any, cursor: Any, *_: Any) -> None:
        if id(cursor) in began:  # else it was begun before the block
            took.append(time.perf_counter() - began.pop(id(cursor)))

    engine = runtime.database.engine
    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    try:
        yield took
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)


@contextmanager
def _runtime(machine: Machine) -> Iterator[Runtime]:
    settings = config.load(
        database_url=machine.new_database(),
        secret_key="of-the-benchmark-0123456789abcdef",
        hive_key="of-the-benchmark",
        hive_url=machine.provider.url,
        public_url="http://127.0.0.1:8000",
        echo="off",  # nobody serves the public URL
        max_in_flight=1_000_000,
    )
    runtime = build(settings, SilentDoorbell())
    try:
        runner.upgrade(Database(settings.resolved_database_url))
        yield runtime
    finally:
        runtime.close()
