"""The books of a run, kept by two who don't know each other: what the provider sold, and what the database says."""

import json
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, Protocol

import requests
from sqlalchemy import select

from app import ids
from app.db import Database
from app.models import attempts, callbacks, job_results, jobs

_SETTLE_SECONDS = 30


class Installation(Protocol):
    """What is read: an installation with a sandbox, `production` or not."""

    @property
    def sandbox_url(self) -> str: ...

    @property
    def database_url(self) -> str: ...

    def run(self, line: str) -> "subprocess.CompletedProcess[str]":
        """Run a shell line in its environment to its end."""


@dataclass(frozen=True)
class Sale:
    """A task that the provider booked, and so bills."""

    task_id: str
    job: str | None
    prompt_sha256: str
    accepted_at: datetime
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

    @cached_property
    def task_ids(self) -> frozenset[str]:
        """Those of all tasks that the provider has, and can be asked for."""
        return frozenset(sale.task_id for sale in self.sales)

    @property
    def saved(self) -> int:
        """How many jobs have an answer that was asked for when its callback was overdue, instead of paid for again."""
        return sum(row.source == "read_back" for row in self.jobs)

    def was_given_up_unasked(self, attempt: Any, after: Any, time_out: timedelta) -> bool:
        """Whether nobody asked for an attempt's task before its job was submitted again, though the provider has it.

        Who was asked and had no answer to give gets a second time-out. An ack that came later is no help.
        """
        given_up_at = {"timed_out": attempt.finished_at, "completed": after.created_at}.get(attempt.state)
        if given_up_at is None or attempt.acked_at is None or attempt.acked_at + time_out > given_up_at:
            return False
        return not attempt.had_more_time and attempt.provider_task_id in self.task_ids

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
            f"saved by asking: {self.saved} answers",
            f"callbacks: {sum(row.times for row in self.callbacks)}, different ones: {dict(outcomes)}",
        )
        return "\n".join(lines)


def read(installation: Installation) -> Books:
    """Wait until the provider has sent every callback, then read both books."""
    sales, refused = _ledger(installation.sandbox_url)
    database = Database(installation.database_url)
    with database.reading() as connection:
        results = (job_results.c.text, job_results.c.source)
        of_jobs = connection.execute(select(jobs, *results).outerjoin(job_results)).all()
        of_attempts: dict[str, list[Any]] = {ids.show("job", row.id): [] for row in of_jobs}
        for attempt in connection.execute(select(attempts).order_by(attempts.c.job_id, attempts.c.number)):
            of_attempts[ids.show("job", attempt.job_id)].append(attempt)
        bodies = connection.execute(select(*(each for each in callbacks.c if each.name != "body"))).all()
    database.close()
    examined = installation.run("hivebatch doctor --bodies --json")
    assert examined.stdout, examined.stderr
    return Books(sales, refused, of_jobs, of_attempts, bodies, json.loads(examined.stdout))


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
        accepted_at=datetime.fromisoformat(entry["accepted_at"]),
        faults=tuple(entry["faults"]),
        statuses=tuple(callback["status"] for callback in entry["callbacks"]),
        charge=Decimal(entry["charge"]),
    )
