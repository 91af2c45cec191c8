"""The books: everything that the database says at one moment."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select

from app.models import FIGURES, attempts, batch_figures, batches, callbacks, job_results, jobs, purged_batches

_BATCHES, _JOBS, _RESULTS, _FIGURES = select(batches), select(jobs), select(job_results), select(batch_figures)
_ATTEMPTS = select(attempts).order_by(attempts.c.number)
_CALLBACKS = select(*[column for column in callbacks.c if column.name != "body"])
_PURGED = select(purged_batches.c.id)


@dataclass(frozen=True, slots=True)
class Books:
    """The rows that tell the story of each job whose batch is not removed, by the id that one looks them up with."""

    batches: Mapping[UUID, Row[Any]]
    figures: Mapping[UUID, Mapping[str, int]]  # as they are kept, of each batch
    jobs: Mapping[UUID, Row[Any]]
    attempts: Mapping[UUID, Sequence[Row[Any]]]  # of each job, first to last
    results: Mapping[UUID, Row[Any]]
    callbacks: Sequence[Row[Any]]
    purged: frozenset[UUID]
    leftovers: int  # rows of removed batches that are not deleted yet

    @property
    def is_at_rest(self) -> bool:
        return not self.leftovers and all(batch.finalized_at is not None for batch in self.batches.values())

    def jobs_of(self, batch_id: UUID) -> Sequence[Row[Any]]:
        """In input order."""
        return sorted((job for job in self.jobs.values() if job.batch_id == batch_id), key=lambda job: job.position)

    def attempt(self, attempt_id: UUID, job_id: UUID) -> Row[Any] | None:
        return next((each for each in self.attempts[job_id] if each.id == attempt_id), None)


def read(connection: Connection) -> Books:
    """The books as they are."""
    stored, stored_jobs = connection.execute(_BATCHES).all(), connection.execute(_JOBS).all()
    live = {row.id: row for row in stored if row.removed_at is None}
    live_jobs = {row.id: row for row in stored_jobs if row.batch_id in live}
    of_jobs: dict[UUID, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(_ATTEMPTS):
        of_jobs[row.job_id].append(row)
    return Books(
        batches=live,
        figures=_figures(connection),
        jobs=live_jobs,
        attempts=of_jobs,
        results={row.job_id: row for row in connection.execute(_RESULTS) if row.job_id in live_jobs},
        callbacks=connection.execute(_CALLBACKS).all(),
        purged=frozenset(connection.execute(_PURGED).scalars()),
        leftovers=len(stored) + len(stored_jobs) - len(live) - len(live_jobs),
    )


def _figures(connection: Connection) -> Mapping[UUID, Mapping[str, int]]:
    sums: dict[UUID, Counter[str]] = defaultdict(Counter)
    for row in connection.execute(_FIGURES):
        sums[row.batch_id].update({name: getattr(row, name) for name in FIGURES})
    return sums
