"""Who works how much: processor time by part of the installation."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from subprocess import Popen

from tests.bench import profiling
from tests.bench.designs import Design
from tests.bench.processes import seconds_of_family, seconds_of_session


@contextmanager
def noted(design: Design, what: str, jobs: int, notes: list[str]) -> Iterator[None]:
    """Adds a note of the processor milliseconds a job that each part used in the block; its profile if wanted."""
    before = _seconds(design)
    with profiling.noted(design, what, notes) if design.tuning.is_profiled else nullcontext():
        yield
    used = {name: 1000 * (after - before[name]) / jobs for name, after in _seconds(design).items()}
    notes.append(f"{what}, CPU ms a job: " + ", ".join(f"{name} {spent:.2f}" for name, spent in used.items()))


def _seconds(design: Design) -> dict[str, float]:
    machine = design.machine
    web, *workers = [seconds_of_session(process.pid) for process in design.processes]
    return {
        "web": web,
        "workers": sum(workers),
        "database": seconds_of_family(_pid(machine.postgres.process)),
        "redis": seconds_of_family(_pid(machine.redis.process)),
        "provider": seconds_of_session(machine.provider.pid),
    }


def _pid(process: "Popen[bytes] | None") -> int:
    assert process is not None
    return process.pid
