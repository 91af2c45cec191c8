"""How much memory the Python processes of a design take while many jobs run."""

import threading
from collections.abc import Sequence
from typing import Self

from tests.bench.designs import Design
from tests.bench.processes import resident_bytes
from tests.bench.rows import end_to_end
from tests.bench.rows.plan import Measured, Plan

NAMES = ("rss_mb",)


def measure(design: Design, plan: Plan) -> Measured:
    """The highest sum of resident memory in MB, over the web process, the workers and their children."""
    with design.running():
        design.start_workers()
        design.warm_up()
        with Sampler([process.pid for process in design.processes]) as sampler:
            ran = end_to_end.run(design, plan.large_run_for(design))
    return Measured({"rss_mb": sampler.highest / 1e6}, ran.complaints)


class Sampler:
    """Looks every quarter of a second; `highest` in bytes. A context manager."""

    def __init__(self, leaders: Sequence[int]) -> None:
        self.highest = 0
        self._leaders = leaders
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(0.25):
            self.highest = max(self.highest, resident_bytes(self._leaders))
