"""What this machine could do at most: the same server, client and database with next to nothing between them."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from statistics import median
from uuid import UUID

import psycopg
import requests

from app.ids import new_id
from tests.bench import bodies
from tests.bench.designs import Tuning
from tests.bench.machine import Machine, port_of, wait_for
from tests.bench.rows.flow import percentile, steady_rate
from tests.bench.rows.plan import Plan, patience
from tests.servers import free_port

_LIKE = """
    CREATE TABLE bench (
        id uuid PRIMARY KEY, batch_id uuid NOT NULL, position int NOT NULL, custom_id text NOT NULL,
        state text NOT NULL, due_at timestamptz, text_data text NOT NULL, options jsonb NOT NULL
    );
    CREATE UNIQUE INDEX ON bench (batch_id, position);
    CREATE UNIQUE INDEX ON bench (batch_id, custom_id);
    CREATE INDEX ON bench (batch_id, state);
    CREATE INDEX ON bench (due_at, id) WHERE state = 'queued';
"""
_COPY = "COPY bench FROM STDIN"


def measure(machine: Machine, plan: Plan, tuning: Tuning) -> Mapping[str, float]:
    """The limits by the names of the rows that they belong to."""
    copied = _copy(machine, plan.jobs)
    alone = _call_provider(machine, plan.jobs)
    print(f"the load generator alone makes {alone:,.0f} calls a second; COPY {copied:,.0f} rows", flush=True)
    with _bare_server(machine) as url:
        called, p99 = _call(machine, url, plan.jobs)
        exchange = _exchange_ms(url)
        pushed, through = (_push(machine, url, plan.jobs, tuning.workers, calls_back=back) for back in (False, True))
    return {
        "accept": copied,
        "accept_50k_s": plan.large_batch / copied,
        "callbacks": called,
        "callback_p99_ms": p99,
        "submit": pushed,
        "end_to_end": through,
        # Three exchanges (POST, submit, callback) and three commits (job, claim, result) follow each other.
        "latency_ms": 3 * exchange + 3 * _commit_ms(machine),
    }


def _copy(machine: Machine, number: int) -> float:
    """Rows a second of one COPY into a table with the columns and indexes of a job."""
    rows = [_row(new_id(), number) for number in range(number)]
    with _connected(machine) as connection:
        connection.execute(_LIKE.encode())
        began = time.monotonic()
        with connection.transaction(), connection.cursor().copy(_COPY.encode()) as copy:
            for row in rows:
                copy.write_row(row)
        return number / (time.monotonic() - began)


def _row(batch_id: UUID, number: int) -> tuple[object, ...]:
    job = bodies.job(number)
    options = json.dumps(job["options"])
    return new_id(), batch_id, number, job["custom_id"], "queued", datetime.now(UTC), job["text_data"], options


def _commit_ms(machine: Machine) -> float:
    """Milliseconds of a durable commit of one small row."""
    with _connected(machine) as connection:
        connection.execute("CREATE TABLE small (id int)")
        took = []
        for number in range(200):
            began = time.monotonic()
            connection.execute("INSERT INTO small VALUES (%s)", [number])
            took.append(1000 * (time.monotonic() - began))
    return median(took)


@contextmanager
def _connected(machine: Machine) -> Iterator[psycopg.Connection]:
    with psycopg.connect(machine.new_database().replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def _call_provider(machine: Machine, number: int) -> float:
    """Calls a second that the load generator makes to a second one of its kind: it must not be what is measured."""
    url = f"http://127.0.0.1:{free_port()}"
    with machine.running("target", f"exec python -m tests.bench.provider --port {port_of(url)}"):
        wait_for(f"{url}/bench/ledger")
        return _call(machine, f"{url}/nothing", number)[0]


@contextmanager
def _bare_server(machine: Machine) -> Iterator[str]:
    url = f"http://127.0.0.1:{free_port()}"
    line = f"exec python -m tests.bench.bare --port {port_of(url)}"
    with machine.running("bare", line):
        wait_for(f"{url}/")
        yield f"{url}/callbacks"


def _call(machine: Machine, url: str, number: int) -> tuple[float, float]:
    """Callbacks a second that the bare server takes, and the 99th percentile of their milliseconds."""
    provider = machine.provider
    provider.forget()
    provider.mode(calls_back=True)
    provider.load(url, number)
    provider.until_answered(number, patience(number))
    ledger = provider.ledger()
    first = min(entry.sent_at or 0.0 for entry in ledger)
    rate = number / (max(entry.answered for entry in ledger) - first)
    return rate, 1000 * percentile([entry.took_seconds for entry in ledger], 99)


def _exchange_ms(url: str) -> float:
    """Milliseconds of one exchange with the bare function over a kept-alive connection."""
    took = []
    with requests.Session() as http:
        for number in range(200):
            began = time.monotonic()
            http.post(url, data=bodies.result(str(number), None), timeout=10)
            took.append(1000 * (time.monotonic() - began))
    return median(took)


def _push(machine: Machine, url: str, number: int, workers: int, *, calls_back: bool) -> float:
    """Submits a second of as many bare client loops as there are workers; or, called back for, round trips a second."""
    provider = machine.provider
    provider.forget()
    provider.mode(calls_back=calls_back)
    each = number // workers
    line = f"exec python -m tests.bench.pushing --url {provider.url} --callback-url {url} --number {each}"
    with ExitStack() as stack:
        for _ in range(workers):
            stack.enter_context(machine.running("pushing", line))
        provider.until_acked(each * workers, patience(number))
        if calls_back:
            provider.until_answered(each * workers, patience(number))
    return steady_rate([entry.answered if calls_back else entry.acked_at for entry in provider.ledger()])
