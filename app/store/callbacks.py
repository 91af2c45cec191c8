"""The inbox: every body that a provider sent, as it came, and what became of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, func, select, update

from app.models import callbacks
from app.states import Outcome
from app.store import bulk

_COUNT_UP = (
    "ON CONFLICT (attempt_id, sha256) DO UPDATE "
    "SET times = callbacks.times + excluded.times, last_received_at = excluded.last_received_at"
)


def add(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Keep these bodies. One that its attempt already brought counts `times` up and changes nothing else."""
    distinct: dict[tuple[UUID, str], dict[str, Any]] = {}
    for row in rows:
        known = distinct.setdefault((row["attempt_id"], row["sha256"]), {**row, "times": 0})
        known |= {"times": known["times"] + row["times"], "last_received_at": row["last_received_at"]}
    bulk.add(connection, callbacks, list(distinct.values()), on_conflict=_COUNT_UP)


def of_job(connection: Connection, job_id: UUID) -> Sequence[Row[Any]]:
    """The bodies for one job, first to last, each by its length only."""
    columns: list[Any] = [column for column in callbacks.c if column.name != "body"]
    query: Select[Any] = select(*columns, func.length(callbacks.c.body).label("bytes")).where(
        callbacks.c.job_id == job_id
    )
    return connection.execute(query.order_by(callbacks.c.received_at, callbacks.c.id)).all()


def of_jobs(connection: Connection, job_ids: Iterable[UUID]) -> Sequence[Row[Any]]:
    """The whole bodies for these jobs that contradict nothing, first to last."""
    fitting = callbacks.c.outcome.in_((Outcome.APPLIED, Outcome.LATE))
    query = select(callbacks).where(callbacks.c.job_id.in_(list(job_ids)), fitting)
    return connection.execute(query.order_by(callbacks.c.received_at, callbacks.c.id)).all()


def mark_applied(connection: Connection, callback_ids: Sequence[UUID]) -> None:
    """These bodies have become results after all."""
    if callback_ids:
        connection.execute(
            update(callbacks).where(callbacks.c.id.in_(callback_ids)).values(outcome=Outcome.APPLIED, detail="salvaged")
        )
