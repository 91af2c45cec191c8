"""`python -m tests.bench`: this service beside the obvious way to build it, and beside what the machine could do."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from tests.bench import figures, limits
from tests.bench.designs import Design, Tuning
from tests.bench.machine import Machine
from tests.bench.obvious import Obvious
from tests.bench.ours import Ours
from tests.bench.rows import accept, end_to_end, flow, latency, memory
from tests.bench.rows.plan import SMOKE, Measured, Plan

GROUPS: Sequence[ModuleType] = (accept, flow, end_to_end, latency, memory)
DESIGNS: Sequence[type[Design]] = (Ours, Obvious)


def main() -> int:
    """The exit status: 1 if a job of ours was lost."""
    arguments = _arguments()
    plan = SMOKE if arguments.smoke else Plan(jobs=arguments.jobs, obvious_jobs=max(1, arguments.jobs // 10))
    samples, lost = _measure(arguments, plan)
    rows = figures.rows_of(samples.figures())
    print(figures.table(rows))
    if arguments.json:
        figures.write(rows, arguments.json)
    return 1 if lost else 0


def _measure(arguments: argparse.Namespace, plan: Plan) -> tuple[figures.Samples, list[str]]:
    """All rounds of all rows; and what of ours was lost."""
    tuning = Tuning(arguments.workers, arguments.connections, arguments.in_flight, dict(arguments.set))
    samples, lost = figures.Samples(), []
    with Machine() as machine:
        for number in range(arguments.rounds):
            samples.add("limit", limits.measure(machine, plan, tuning.workers))
            for group in _chosen(arguments.only):
                for made in [each for each in DESIGNS if each.name in arguments.designs]:
                    measured = _one(group, made(machine, tuning), plan, number)
                    samples.add(made.name, measured.figures)
                    lost += [each for each in measured.complaints if made is Ours]
    return samples, lost


def _chosen(names: Sequence[str]) -> list[ModuleType]:
    return [group for group in GROUPS if not names or set(names) & set(group.NAMES)]


def _one(group: ModuleType, design: Design, plan: Plan, number: int) -> Measured:
    began = time.monotonic()
    measured: Measured = group.measure(design, plan)
    shown = "  ".join(f"{name} {value:.4g}" for name, value in measured.figures.items())
    print(f"round {number + 1}  {design.name:8}  {shown}  ({time.monotonic() - began:.0f} s)", flush=True)
    for line in (*measured.notes, *measured.complaints):
        print(f"    {line}", flush=True)
    return measured


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--designs", nargs="+", default=["ours", "obvious"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--in-flight", type=int, default=2000)
    parser.add_argument("--set", nargs="+", default=[], type=lambda text: text.split("=", 1), metavar="NAME=VALUE")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
