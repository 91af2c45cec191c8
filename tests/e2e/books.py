"""The books of a run, kept by two who don't know each other: what the provider sold, and what the database says."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import psycopg
import requests
from psycopg.rows import namedtuple_row

from app import ids
from tests.e2e.procfile import Production

_JOBS = """
    SELECT j.*, r.text FROM jobs j LEFT JOIN job_results r ON r.job_id = j.id
"""
_SETTLE_SECONDS = 30


@dataclass(frozen=True)
class Sale:
    """A task that the provider booked, and so bills."""

    task_id: str
    job: str | None
    prompt_sha256: str
    faults: tuple[str, ...]
    statuses: tuple[int | None, ...]
    """How each of its callbacks was answered."""
    charge: Decimal


@dataclass(frozen=True)
class Books:
    """Both books at the end of a run; rows of the database have the names of its columns."""

    sales: Sequence[Sale]
    refused: Sequence[Mapping[str, Any]]
    jobs: Sequence[Any]
    attempts: Mapping[str, Sequence[Any]]
    """By job as the API shows its id, in order of their numbers."""
    callbacks: Sequence[Any]
    doctor: Mapping[str, Any]
    """What `hivebatch doctor` finds."""

    @cached_property
    def job(self) -> Mapping[str, Any]:
        """The row of each job, by its id as the API shows it."""
        return {ids.show("job", row.id): row for row in self.jobs}

    @cached_property
    def sold(self) -> Counter[str | None]:
        """How many tasks were booked for each job."""
        return Counter(sale.job for sale in self.sales)

    @property
    def all_attempts(self) -> Sequence[Any]:
        return [attempt for attempts in self.attempts.values() for attempt in attempts]

    @property
    def billed(self) -> Decimal:
        """Dollars, by the provider's book."""
        return sum((sale.charge for sale in self.sales), Decimal(0))

    @property
    def told(self) -> Decimal:
        """Dollars, by the database, which learns a price from a result."""
        return Decimal(sum(each.cost_nano or 0 for each in self.all_attempts)).scaleb(-9)

    def figures(self) -> str:
        """What a person wants to know of the run."""
        states = Counter(row.state for row in self.jobs)
        outcomes = Counter(row.outcome for row in self.callbacks)
        endings = Counter(f"{each.state}/{each.error_code or each.http_status}" for each in self.all_attempts)
        lines = (
            f"jobs: {dict(states)}",
            f"sold: {len(self.sales)} tasks, to {sum(number > 1 for number in self.sold.values())} jobs more than one",
            f"refused: {len(self.refused)}; billed: {self.billed}, of which the results told {self.told}",
            f"attempts: {dict(endings.most_common())}",
            f"callbacks: {sum(row.times for row in self.callbacks)}, different ones: {dict(outcomes)}",
        )
        return "\n".join(lines)


def read(production: Production) -> Books:
    """Wait until the provider has sent every callback, then read both books."""
    sales, refused = _ledger(production.sandbox_url)
    with psycopg.connect(production.dsn, row_factory=namedtuple_row) as connection:
        jobs = connection.execute(_JOBS).fetchall()
        attempts: dict[str, list[Any]] = {ids.show("job", row.id): [] for row in jobs}
        for attempt in connection.execute("SELECT * FROM attempts ORDER BY job_id, number"):
            attempts[ids.show("job", attempt.job_id)].append(attempt)
        callbacks = connection.execute("SELECT job_id, source, outcome, times FROM callbacks").fetchall()
    examined = production.run("hivebatch doctor --bodies --json")
    assert examined.stdout, examined.stderr
    return Books(sales, refused, jobs, attempts, callbacks, json.loads(examined.stdout))


def _ledger(url: str) -> tuple[Sequence[Sale], Sequence[Mapping[str, Any]]]:
    sales: list[Sale] = []
    refused: list[Mapping[str, Any]] = []
    while True:
        offsets = {"settle": _SETTLE_SECONDS, "since": len(sales), "refused_since": len(refused)}
        page = requests.get(f"{url}/sandbox/ledger", params=offsets, timeout=2 * _SETTLE_SECONDS).json()
        assert page["settled"], "callbacks are still being sent"
        sales += [_sale(entry) for entry in page["entries"]]
        refused += page["refused"]
        if len(sales) == page["totals"]["accepted"] and len(refused) == page["totals"]["refused"]:
            return sales, refused


def _sale(entry: Mapping[str, Any]) -> Sale:
    return Sale(
        task_id=entry["task_id"],
        job=entry["metadata"],
        prompt_sha256=entry["prompt_sha256"],
        faults=tuple(entry["faults"]),
        statuses=tuple(callback["status"] for callback in entry["callbacks"]),
        charge=Decimal(entry["charge"]),
    )
