"""How fast a batch is accepted, with nothing submitted meanwhile."""

import time

from tests.bench.designs import WARM_UP, Design
from tests.bench.rows import effort
from tests.bench.rows.plan import Measured, Plan

NAMES = ("accept", "accept_50k_s")


def measure(design: Design, plan: Plan) -> Measured:
    """Jobs a second in one POST, and the seconds that one of the largest size takes."""
    jobs = plan.jobs_for(design)
    notes: list[str] = []
    with design.running():
        design.post(WARM_UP)
        with effort.noted(design, "accept", jobs, notes):
            figures = {"accept": jobs / _seconds(design, jobs)}
        if design.name == "ours":
            figures["accept_50k_s"] = _seconds(design, plan.large_batch)
    return Measured(figures, notes=notes)


def _seconds(design: Design, jobs: int) -> float:
    body = design.body(jobs)
    began = time.monotonic()
    design.send(body)
    return time.monotonic() - began
