"""`python -m tests.bench`: this service beside the obvious way to build it, and beside what the machine could do."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench import chart, figures, limits, surroundings
from tests.bench.designs import Design, Tuning
from tests.bench.machine import Machine
from tests.bench.obvious import Obvious
from tests.bench.ours import Ours
from tests.bench.rows import fast, growth, lasting
from tests.bench.rows.groups import Group, chosen
from tests.bench.rows.plan import SMOKE, Plan

DESIGNS: Sequence[type[Design]] = (Ours, Obvious)


class Bench:
    """One run: what was measured, and what of ours was lost."""

    def __init__(self, machine: Machine, plan: Plan, tuning: Tuning, designs: Sequence[str]) -> None:
        self._machine, self._plan, self._tuning = machine, plan, tuning
        self._designs = [design for design in DESIGNS if design.name in designs]
        self.samples = figures.Samples()
        self.lost: list[str] = []

    def run(self, rounds: int, names: Sequence[str]) -> None:
        """All rounds of these rows (all if none is named), ours and the obvious design by turns."""
        for number in range(rounds):
            self.samples.add("limit", limits.measure(self._machine, self._plan, self._tuning))
            for group in chosen(names):
                if not (group.is_once and number) and self._can_run(group):
                    self._measure(group, number)

    def grow(self, jobs: int) -> None:
        """The growth rows: a database with so many jobs beside a smaller one."""
        self.samples.add("limit", growth.measure(self._machine, min(growth.SMALL, jobs)))
        self.samples.add("ours", growth.measure(self._machine, jobs))

    def last(self, jobs: int) -> None:
        """The rows of a long run: memory during its first batch and during its last."""
        measured = lasting.measure(Ours(self._machine, self._tuning), jobs)
        self.samples.add("ours", measured.figures)
        self.lost += measured.complaints

    def _can_run(self, group: Group) -> bool:
        reason = fast.unavailable() if group.is_fast else None
        if reason is not None:
            print(f"{', '.join(group.names)} not measured: {reason}", flush=True)
        return reason is None

    def _measure(self, group: Group, number: int) -> None:
        for made in self._designs[: 1 if group.is_fast else None]:
            began = time.monotonic()
            measured = group.measure(made(self._machine, self._tuning), self._plan)
            self.samples.add(made.name, measured.figures)
            shown = "  ".join(f"{name} {value:.4g}" for name, value in measured.figures.items())
            print(f"round {number + 1}  {made.name:8}  {shown}  ({time.monotonic() - began:.0f} s)", flush=True)
            for line in (*measured.notes, *measured.complaints):
                print(f"    {line}", flush=True)
            self.lost += measured.complaints if made is Ours else []


def main() -> int:
    """The exit status: 1 if a job of ours was lost."""
    arguments = _arguments()
    plan = SMOKE if arguments.smoke else Plan(jobs=arguments.jobs, obvious_jobs=max(1, arguments.jobs // 10))
    settings, obvious_worker = dict(arguments.set), arguments.obvious_worker
    tuning = Tuning(
        arguments.workers,
        arguments.connections,
        arguments.in_flight,
        settings,
        obvious_worker,
        is_profiled=arguments.profile,
    )
    place = surroundings.words()
    print(place, flush=True)
    with Machine() as machine:
        bench = Bench(machine, plan, tuning, arguments.designs)
        bench.run(1 if arguments.smoke else arguments.rounds, arguments.only)
        if arguments.scale:
            bench.grow(arguments.scale)
        if arguments.lasting:
            bench.last(arguments.lasting)
    _report(bench, arguments, place)
    return 1 if bench.lost else 0


def _report(bench: Bench, arguments: argparse.Namespace, place: str) -> None:
    rows = figures.rows_of(bench.samples.figures())
    print(figures.table(rows))
    print("Nothing of ours was lost." if not bench.lost else "\n".join(bench.lost))
    if arguments.json:
        figures.write(rows, arguments.json)
    if arguments.svg:
        chart.write(
            rows, (f"Per second, medians of {arguments.rounds} rounds; limits from the same run.", place), arguments.svg
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    add = parser.add_argument
    add(
        "--rounds",
        type=int,
        default=3,
        help="measurements of each row; the medians count; 0: only --scale and --lasting",
    )
    add("--jobs", type=int, default=20_000, help="jobs a row; the obvious design gets a tenth of them")
    add("--smoke", action="store_true", help="one small round, to see that everything works")
    add("--only", nargs="+", default=[], metavar="ROW", help="these rows and what is measured with them")
    add("--designs", nargs="+", default=["ours", "obvious"], choices=["ours", "obvious"])
    add("--scale", type=int, metavar="JOBS", help="also the growth rows, in a database with so many jobs")
    add("--lasting", type=int, metavar="JOBS", help="also memory over so many jobs, 50,000 a batch")
    add("--workers", type=int, default=2, help="worker processes of ours")
    add("--connections", type=int, default=16, help="HIVEBATCH_CONNECTIONS")
    add("--in-flight", type=int, default=2000, help="HIVEBATCH_MAX_IN_FLIGHT")
    add("--set", nargs="+", default=[], type=_setting, metavar="NAME=VALUE", help="more HIVEBATCH_ settings")
    add(
        "--obvious-worker",
        default="",
        metavar="OPTIONS",
        help="of the obvious Celery worker: '--pool threads'",
    )
    add("--profile", action="store_true", help="also where time is spent (needs py-spy; slower, so not for figures)")
    add("--json", type=Path, help="write the rows there")
    add("--svg", type=Path, help="write the chart there")
    return parser.parse_args()


def _setting(given: str) -> tuple[str, str]:
    name, _, value = given.partition("=")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
