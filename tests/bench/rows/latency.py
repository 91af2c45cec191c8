"""What the service adds to one job when nothing else is to be done and the provider answers at once."""

import time

from tests.bench.designs import Design
from tests.bench.rows.flow import percentile
from tests.bench.rows.plan import Measured, Plan

NAMES = ("latency_ms", "latency_p99_ms")


def measure(design: Design, plan: Plan) -> Measured:
    """Milliseconds from the POST of a single job to the answer that its callback got."""
    with design.running():
        design.start_workers()
        design.warm_up()
        took = [1000 * _one(design, number) for number in range(1, plan.singles + 1)]
    return Measured({"latency_ms": percentile(took, 50), "latency_p99_ms": percentile(took, 99)})


def _one(design: Design, number: int) -> float:
    body = design.body(1)
    began = time.monotonic()
    design.send(body)
    design.machine.provider.until_answered(number, 30)
    answered = max(entry.answered for entry in design.machine.provider.ledger())
    time.sleep(0.02)  # what follows a result, such as finalizing, is not part of the next
    return answered - began
