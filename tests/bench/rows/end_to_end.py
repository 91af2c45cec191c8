"""How fast a batch goes from its POST to its last stored result."""

import time

from tests.bench.designs import Design
from tests.bench.rows import effort
from tests.bench.rows.plan import Measured, Plan, patience
from tests.e2e.procfile import until

NAMES = ("end_to_end",)


def measure(design: Design, plan: Plan) -> Measured:
    """Jobs a second, from the first byte of the POST to the answer that the last callback got."""
    with design.running():
        design.start_workers()
        design.warm_up()
        return run(design, plan.jobs_for(design))


def run(design: Design, jobs: int) -> Measured:
    """Send one batch through a service that runs."""
    notes: list[str] = []
    body = design.body(jobs)
    with effort.noted(design, "end to end", jobs, notes):
        began = time.monotonic()
        finish(design, body, jobs)
    ledger = design.machine.provider.ledger()
    rate = jobs / (max(entry.answered for entry in ledger) - began)
    return Measured({"end_to_end": rate}, design.complaints(ledger, jobs), notes)


def finish(design: Design, body: bytes, jobs: int) -> None:
    """Send one batch, and wait until all that is known of it is stored."""
    wanted = design.count(design.STORED) + jobs
    design.send(body)
    design.machine.provider.until_answered(jobs, patience(jobs))
    until(lambda: design.count(design.STORED) == wanted, 30, "all results are stored")
    # The last acknowledgement may be written after its callback.
    until(lambda: design.count(design.SUBMITTED) == wanted, 30, "all acknowledgements are stored")
