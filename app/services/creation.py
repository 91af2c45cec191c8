"""Creation: a batch is stored whole or not at all, and once a request."""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.db import Connection
from app.errors import Conflict, InvalidInput, Problem
from app.ids import new_id, show
from app.runtime import Runtime
from app.services import budgets, status
from app.services.shown import batch_view
from app.services.spool import JobSpool
from app.services.views import BadLine, Created, NewBatch, NewJob
from app.states import JobState
from app.store import batches, figures, jobs

logger = logging.getLogger(__name__)

PROBLEMS_KEPT = 100


def find_replay(runtime: Runtime, owner: str, idempotency_key: str, request_sha256: str) -> UUID | None:
    """The batch that this very request made before; None if the key is new.

    Raises:
        Conflict: the owner used the key for another request.
    """
    with runtime.database.reading() as connection:
        batch = batches.by_idempotency_key(connection, owner, idempotency_key)
    return _replayed(batch, request_sha256)


def create(runtime: Runtime, new: NewBatch, lines: Iterable[NewJob | BadLine]) -> Created:
    """a: store a batch with its jobs in one transaction, then ring once.

    `lines` are consumed once and never held whole in memory. Bad ones, among them repeated `custom_id`s, refuse the
    batch, or are left out and reported with it if it says `skip_invalid`.

    Raises:
        InvalidInput: nothing was stored; the first 100 problems, and how many there are.
        Conflict: the idempotency key belongs to another request.
    """
    if new.provider not in runtime.providers:
        known = ", ".join(sorted(runtime.providers))
        raise InvalidInput([Problem(f"Unknown provider; known: {known}.", "/provider", value=new.provider)])
    with JobSpool() as spool:
        problems = _Problems()
        _validate(runtime, lines, spool, problems)
        if problems.total and not new.skip_invalid:
            raise InvalidInput(problems.first, problems.total)
        if not spool.total:
            raise InvalidInput([*problems.first, Problem("There is no job in it.", "/jobs")], problems.total + 1)
        return _store(runtime, new, spool, problems)


class _Problems:
    """The first problems of a batch and the number of all."""

    def __init__(self) -> None:
        self.first: list[Problem] = []
        self.total = 0

    def add(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self.total += 1
            if len(self.first) < PROBLEMS_KEPT:
                self.first.append(problem)


def _validate(runtime: Runtime, lines: Iterable[NewJob | BadLine], spool: JobSpool, problems: _Problems) -> None:
    """What only the whole batch shows: repeated ids, too many jobs."""
    seen: set[str] = set()
    limit = runtime.settings.max_jobs
    for position, line in enumerate(lines):
        if position >= limit:
            raise InvalidInput([Problem("There are too many jobs for one batch.", "/jobs", limit=limit, value="more")])
        if isinstance(line, BadLine):
            problems.add(line.problems)
        elif line.custom_id in seen:
            pointer = f"{line.pointer}/custom_id"
            problems.add(
                [Problem("Another job of the batch has this custom_id.", pointer, line.line, None, line.custom_id)]
            )
        else:
            seen.add(line.custom_id)
            spool.add(position, line)


def _store(runtime: Runtime, new: NewBatch, spool: JobSpool, problems: _Problems) -> Created:
    now = runtime.moment().now
    batch_id = new_id()
    row = _batch_row(runtime, new, batch_id, spool.total, problems, now)
    counted: figures.Figures = {JobState.QUEUED: spool.total}
    with runtime.database.transaction() as connection:
        stored = batches.add(connection, row)
        if stored is not None:
            for chunk in spool.chunks():
                _add_jobs(connection, row, chunk, now)
            figures.add(connection, {batch_id: counted}, is_folded=True)
    if stored is None:
        return _winner(runtime, new)
    logger.info("batch_created", extra={"batch_id": show("batch", batch_id), "jobs": spool.total})
    runtime.doorbell.ring(new.provider)
    return Created(batch_view(stored, {**figures.NONE_YET, **counted}, held=()), is_replay=False)


def _winner(runtime: Runtime, new: NewBatch) -> Created:
    """The batch of the request that came first with this key."""
    existing = find_replay(runtime, new.owner, str(new.idempotency_key), str(new.request_sha256))
    if existing is None:
        raise Conflict("The batch of this Idempotency-Key was removed just now; try again.")
    return Created(status.batch(runtime, new.owner, existing), is_replay=True)


def _batch_row(
    runtime: Runtime, new: NewBatch, batch_id: UUID, total: int, problems: _Problems, now: datetime
) -> dict[str, Any]:
    lifetime_seconds = new.expires_in_seconds or runtime.settings.batch_expires_seconds
    return {
        "id": batch_id,
        "owner": new.owner,
        "name": new.name,
        "provider": new.provider,
        "options": dict(new.options),
        "metadata_": dict(new.metadata),
        "idempotency_key": new.idempotency_key,
        "request_sha256": new.request_sha256,
        "total": total,
        "max_attempts": new.max_attempts or runtime.settings.max_attempts,
        "budget_nano": None if new.budget is None else budgets.to_nano(new.budget),
        "round": 1,
        "created_at": now,
        "lifetime_seconds": lifetime_seconds,
        "expires_at": now + timedelta(seconds=lifetime_seconds),
        "line_errors": {"total": problems.total, "first": [_problem_row(problem) for problem in problems.first]},
    }


def _problem_row(problem: Problem) -> dict[str, object]:
    value = problem.value if isinstance(problem.value, (int, float, bool, type(None))) else str(problem.value)[:200]
    return {
        "message": problem.message,
        "pointer": problem.pointer,
        "line": problem.line,
        "limit": problem.limit,
        "value": value,
    }


def _add_jobs(connection: Connection, batch: Mapping[str, Any], chunk: list[tuple[int, NewJob]], now: datetime) -> None:
    rows, inputs = [], []
    for position, job in chunk:
        job_id = new_id()
        rows.append(
            {
                "id": job_id,
                "batch_id": batch["id"],
                "position": position,
                "custom_id": job.custom_id,
                "provider": batch["provider"],
                "due_at": now,
                "max_attempts": batch["max_attempts"],
                "created_at": now,
            }
        )
        inputs.append({"job_id": job_id, "text_data": job.text_data, "options": dict(job.options)})
    jobs.add(connection, rows, inputs)


def _replayed(batch: Any, request_sha256: str) -> UUID | None:
    if batch is None:
        return None
    if batch.request_sha256 != request_sha256:
        raise Conflict("This Idempotency-Key was used for another request.")
    batch_id: UUID = batch.id
    return batch_id
