"""What the service adds to one job when nothing else is to be done and the provider answers at once."""

import time
from typing import NamedTuple

from tests.bench.designs import Design
from tests.bench.rows.flow import percentile
from tests.bench.rows.plan import Measured, Plan

NAMES = ("latency_ms", "latency_p99_ms")


class Passage(NamedTuple):
    """When a job passed what can be seen from outside, in ms since its POST."""

    batch_accepted: float
    task_accepted: float
    callback_sent: float
    callback_answered: float


def measure(design: Design, plan: Plan) -> Measured:
    """Milliseconds from the POST of a single job to the answer that its callback got."""
    with design.running():
        design.start_workers()
        design.warm_up()
        passages = [_one(design, number) for number in range(1, plan.singles + 1)]
    took = [passage.callback_answered for passage in passages]
    return Measured(
        {"latency_ms": percentile(took, 50), "latency_p99_ms": percentile(took, 99)}, notes=[_note(passages)]
    )


def _one(design: Design, number: int) -> Passage:
    body = design.body(1)
    began = time.monotonic()
    design.send(body)
    accepted = time.monotonic()
    design.machine.provider.until_answered(number, 30)
    entry = design.machine.provider.ledger()[-1]
    time.sleep(0.02)  # what follows a result, such as finalizing, is not part of the next
    instants = (accepted, entry.acked_at, entry.sent_at or 0.0, entry.answered)
    return Passage(*(1000 * (instant - began) for instant in instants))


def _note(passages: list[Passage]) -> str:
    columns = zip(*passages, strict=True)
    medians = (
        f"{name} {percentile(list(column), 50):.1f}" for name, column in zip(Passage._fields, columns, strict=True)
    )
    return f"one job, ms since its POST: {', '.join(medians)}".replace("_", " ")
