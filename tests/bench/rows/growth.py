"""What a database full of finished jobs costs each thing that is done all the time: nothing, if all is well."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from statistics import median
from typing import Any

from sqlalchemy import event

from app import config
from app.db import Database
from app.ids import show
from app.queue import SilentDoorbell
from app.runtime import Runtime, build
from app.services import claims, health, results, status, sweeps
from migrations import runner
from tests.bench.filling import OWNER, Filled, fill
from tests.bench.machine import Machine

NAMES = (
    "growth_list_ms",
    "growth_status_ms",
    "growth_jobs_ms",
    "growth_find_ms",
    "growth_job_ms",
    "growth_results_ms",
    "growth_admin_ms",
    "growth_claim_ms",
    "growth_sweep_ms",
)
SMALL = 100_000
"""The number of jobs that a full database is compared with."""

_TIMES = 9


def measure(machine: Machine, jobs: int) -> Mapping[str, float]:
    """Milliseconds of the slowest statement of each call, in a database with so many jobs; medians of nine calls."""
    with _runtime(machine) as runtime:
        filled = fill(runtime, jobs)
        return {name: _slowest_ms(runtime, call) for name, call in _calls(runtime, filled).items()}


def _calls(runtime: Runtime, filled: Filled) -> Mapping[str, Callable[[], object]]:
    large, middle = filled.large_batch, str(filled.jobs // 4)
    return {
        "growth_list_ms": lambda: status.batches(runtime, OWNER, None, 20),
        "growth_status_ms": lambda: status.batch(runtime, OWNER, large),
        "growth_jobs_ms": lambda: status.jobs(runtime, OWNER, large, cursor=middle),
        "growth_find_ms": lambda: status.jobs(runtime, OWNER, large, custom_id=f"job-{middle}"),
        "growth_job_ms": lambda: status.job(runtime, OWNER, filled.some_job),
        "growth_results_ms": lambda: list(islice(results.stream(runtime, OWNER, large, ["completed"]).lines, 400)),
        "growth_admin_ms": lambda: _admin_pages(runtime, filled),
        "growth_claim_ms": lambda: claims.claim(runtime, "hive_v2", 20, is_idle=True),
        "growth_sweep_ms": lambda: sweeps.sweep(runtime, "bench"),
    }


def _admin_pages(runtime: Runtime, filled: Filled) -> None:
    status.batches(runtime, None, show("batch", filled.middle_batch), 25)
    health.readiness(runtime)
    status.batch(runtime, None, filled.middle_batch)
    status.jobs(runtime, None, filled.large_batch, states=["waiting"], limit=50)
    status.jobs(runtime, None, filled.large_batch, states=["failed"], limit=50)


def _slowest_ms(runtime: Runtime, call: Callable[[], object]) -> float:
    call()
    return median(_slowest_statement_ms(runtime, call) for _ in range(_TIMES))


def _slowest_statement_ms(runtime: Runtime, call: Callable[[], object]) -> float:
    with _timed(runtime) as took:
        call()
    return 1000 * max(took)


@contextmanager
def _timed(runtime: Runtime) -> Iterator[list[float]]:
    """The seconds of every statement that the block runs."""
    began: list[float] = []
    took: list[float] = []

    def before(*_: Any) -> None:
        began.append(time.perf_counter())

    def after(*_: Any) -> None:
        took.append(time.perf_counter() - began.pop())

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
        max_in_flight=1_000_000,
    )
    runtime = build(settings, SilentDoorbell())
    try:
        runner.upgrade(Database(settings.resolved_database_url))
        yield runtime
    finally:
        runtime.close()
