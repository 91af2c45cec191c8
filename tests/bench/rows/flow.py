"""How fast jobs are submitted, and then, all of them waiting, how fast their callbacks are stored and applied."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import quantiles

from tests.bench.counterpart import Entry
from tests.bench.designs import Design
from tests.bench.rows import effort
from tests.bench.rows.plan import Measured, Plan, patience
from tests.e2e.procfile import until

NAMES = ("submit", "callbacks", "callback_p99_ms")


def measure(design: Design, plan: Plan) -> Measured:
    """Submits a second to a provider that only acknowledges; then callbacks a second over 64 connections."""
    jobs = plan.jobs_for(design)
    notes: list[str] = []
    # All of them are in flight at once before the first callback.
    design.tuning = replace(design.tuning, in_flight=max(design.tuning.in_flight, jobs))
    with design.running():
        design.machine.provider.mode(calls_back=False)
        design.post(jobs)
        design.start_workers()
        with effort.noted(design, "submit", jobs, notes):
            _submit(design, jobs)
        with effort.noted(design, "callback", jobs, notes):
            _call_back(design, jobs)
        ledger = design.machine.provider.ledger()
        return Measured(_figures(ledger), design.complaints(ledger, jobs), notes)


def _submit(design: Design, jobs: int) -> None:
    design.machine.provider.until_acked(jobs, patience(jobs))
    until(lambda: design.count(design.SUBMITTED) == jobs, 30, "all acknowledgements are stored")


def _call_back(design: Design, jobs: int) -> None:
    design.machine.provider.release()
    design.machine.provider.until_answered(jobs, patience(jobs))


def _figures(ledger: Sequence[Entry]) -> Mapping[str, float]:
    sent = min(entry.sent_at or 0.0 for entry in ledger)
    return {
        "submit": steady_rate([entry.acked_at for entry in ledger]),
        "callbacks": len(ledger) / (max(entry.answered for entry in ledger) - sent),
        "callback_p99_ms": 1000 * percentile([entry.took_seconds for entry in ledger], 99),
    }


def steady_rate(instants: Sequence[float]) -> float:
    """Events a second without the first tenth of them, in which workers are still starting."""
    ordered = sorted(instants)
    skipped = len(ordered) // 10
    return (len(ordered) - 1 - skipped) / (ordered[-1] - ordered[skipped])


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent of them don't exceed."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]
