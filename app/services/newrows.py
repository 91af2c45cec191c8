"""The rows of what is new: a batch, its problems, its jobs."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.db import Connection
from app.errors import Problem
from app.ids import new_id
from app.runtime import Runtime
from app.services import budgets
from app.services.views import NewBatch, NewJob
from app.store import jobs

INVALID_REQUEST = "invalid_request"
"""The error of a job that was never to be submitted."""


def of_batch(runtime: Runtime, new: NewBatch, batch_id: UUID, total: int, now: datetime) -> dict[str, Any]:
    """The row of a batch with `total` jobs; the problems of its input apart."""
    lifetime_seconds = new.expires_in_seconds or runtime.settings.batch_expires_seconds
    return {
        "id": batch_id,
        "owner": new.owner,
        "name": new.name,
        "provider": new.provider,
        "fallback_provider": new.fallback_provider,
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
        "input_file_id": new.input_file_id,
        "files_lifetime_seconds": new.files_lifetime_seconds,
        "models": [],
        "webhook_endpoint_id": None,
    }


def of_problem(problem: Problem) -> dict[str, object]:
    """What is kept of a problem with the input."""
    value = problem.value if isinstance(problem.value, (int, float, bool, type(None))) else str(problem.value)[:200]
    return {
        "message": problem.message,
        "pointer": problem.pointer,
        "line": problem.line,
        "limit": problem.limit,
        "value": value,
        "code": problem.code,
    }


def add_jobs(
    connection: Connection,
    batch: Mapping[str, Any],
    chunk: Sequence[tuple[int, NewJob]],
    now: datetime,
    due_at: datetime,
) -> None:
    """a: these jobs of a batch, by their positions, to be claimed from `due_at` on."""
    rows = [(_job_row(batch, position, job, now), job) for position, job in chunk]
    good = [(row | {"due_at": due_at}, job) for row, job in rows if job.fault is None]
    faulty = [(row | _end(job.fault, now), job) for row, job in rows if job.fault is not None]
    for add, some in ((jobs.add, good), (jobs.add_failed, faulty)):
        add(connection, [row for row, _ in some], [_input_row(row["id"], job) for row, job in some])


def _job_row(batch: Mapping[str, Any], position: int, job: NewJob, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "batch_id": batch["id"],
        "position": position,
        "custom_id": job.custom_id,
        "provider": batch["provider"],
        "max_attempts": batch["max_attempts"],
        "created_at": now,
    }


def _end(fault: Problem, now: datetime) -> dict[str, Any]:
    return {"finished_at": now, "error_code": INVALID_REQUEST, "error_message": fault.message[:500]}


def _input_row(job_id: UUID, job: NewJob) -> dict[str, Any]:
    return {"job_id": job_id, "text_data": job.text_data, "options": dict(job.options)}
