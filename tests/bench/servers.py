"""`python -m tests.bench.servers`: callbacks a second of the same service behind different web servers, by turns."""

import argparse
import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from statistics import median

from tests.bench import surroundings
from tests.bench.designs import Tuning
from tests.bench.machine import Machine
from tests.bench.ours import Ours
from tests.bench.rows import flow
from tests.bench.rows.plan import Plan
from tests.e2e.procfile import PROCESSES

GUNICORN = "exec gunicorn --worker-class gthread --workers 1 --threads 64 --bind 127.0.0.1:$PORT --log-level error"
GRANIAN = "exec granian --interface wsgi --workers 1 --blocking-threads 128 --port $PORT --no-ws --log-level error"
SERVERS: Mapping[str, str] = {
    "uvicorn, ASGI function": PROCESSES["web"],
    "granian, WSGI function": f"{GRANIAN} tests.bench.wsgi:bare",
    "granian, Flask": f"{GRANIAN} tests.bench.wsgi:flask",
    "gunicorn gthread, WSGI function": f"{GUNICORN} tests.bench.wsgi:bare",
    "gunicorn gthread, Flask": f"{GUNICORN} tests.bench.wsgi:flask",
}


@dataclass(frozen=True, slots=True)
class Row:
    """Callbacks a second, the 99th percentile of their ms, and the CPU ms that each costs the web process."""

    rate: float
    p99_ms: float
    cpu_ms: float


def main() -> None:
    """Print a table of medians."""
    arguments = _arguments()
    print(surroundings.words(), flush=True)
    rows: dict[str, list[Row]] = {name: [] for name in SERVERS}
    with Machine() as machine:
        for number in range(arguments.rounds):
            for name, line in SERVERS.items():
                rows[name].append(_measure(machine, line, arguments.jobs))
                print(f"round {number + 1}  {name}: {rows[name][-1]}", flush=True)
    for name, measured in rows.items():
        rate, p99, cpu = (median(values) for values in zip(*map(astuple, measured), strict=True))
        print(f"| {name} | {rate:,.0f} | {p99:.0f} | {cpu:.2f} |")


def _measure(machine: Machine, line: str, jobs: int) -> Row:
    ours = Ours(machine, Tuning(in_flight=jobs))
    ours.web_line = line
    measured = flow.measure(ours, Plan(jobs=jobs))
    assert not measured.complaints, measured.complaints
    cpu = re.search(r"^callback.* web ([0-9.]+)", "\n".join(measured.notes), re.MULTILINE)
    assert cpu is not None
    return Row(measured.figures["callbacks"], measured.figures["callback_p99_ms"], float(cpu[1]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.servers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=10_000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
