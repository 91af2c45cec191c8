"""Salvage: a job that is over is completed with an answer that is stored already, at no cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.db import Connection
from app.providers.base import Answer
from app.runtime import Runtime
from app.services.moves import move
from app.states import Outcome
from app.store import callbacks, figures, results, usage
from app.transitions import Moment, Salvaged


@dataclass(frozen=True, slots=True)
class Found:
    """The first stored body for a job that holds an answer, read as we read today."""

    event: Salvaged
    body: Any
    answer: Answer


def find(runtime: Runtime, connection: Connection, job_ids: Sequence[UUID]) -> Mapping[UUID, Found]:
    """The stored answers of those of these jobs that have one. Bodies that contradict something are left alone."""
    found: dict[UUID, Found] = {}
    for body in callbacks.of_jobs(connection, job_ids):
        provider = runtime.providers.get(body.provider)  # None: it is no longer configured
        reading = provider.read(body.body) if provider else None
        if isinstance(reading, Answer) and body.job_id not in found:
            found[body.job_id] = Found(Salvaged(body.attempt_id, reading.cost_nano), body, reading)
    return found


def complete(
    connection: Connection, found: Mapping[UUID, Found], moment: Moment, source: str | None = None
) -> Sequence[UUID]:
    """Complete these jobs, as far as they are over; which were. `source`: where the answers come from, if not as kept.

    Their rows are locked, if need be in the order of their ids.
    """
    moved = move(connection, [(job_id, each.event) for job_id, each in found.items()], moment)
    won = [job_id for job_id, outcome in zip(found, moved.outcomes, strict=True) if outcome is Outcome.APPLIED]
    rows = [_row(job_id, found[job_id], moment, source) for job_id in won]
    results.add(connection, rows)
    late = callbacks.mark_applied(connection, [row["callback_id"] for row in rows])
    told = usage.told((found[row["job_id"]].body.batch_id, row["details"]) for row in rows)
    figures.add(connection, figures.merged({batch_id: {"late": -number} for batch_id, number in late.items()}, told))
    return won


def _row(job_id: UUID, found: Found, moment: Moment, source: str | None) -> Mapping[str, Any]:
    answer = found.answer
    row = results.row(job_id=job_id, body=found.body, text=answer.text, details=answer.details, created_at=moment.now)
    return {**row, "source": source} if source else row
