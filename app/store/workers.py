"""Signs of life: when each worker last swept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from app.models import worker_beats
from app.store import dialects


def beat(
    connection: Connection, worker: str, now: datetime, sweep_seconds: float, clock_off_seconds: float | None
) -> None:
    """This worker is alive and has just swept."""
    changing = {"swept_at": now, "clock_off_seconds": clock_off_seconds}
    row = {"worker": worker, "started_at": now, "sweep_seconds": sweep_seconds} | changing
    statement = dialects.insert(connection, worker_beats).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=["worker"], set_=changing))


def listing(connection: Connection, since: datetime) -> Sequence[Row[Any]]:
    """The workers that have swept since then, the latest sweep first."""
    query = select(worker_beats).where(worker_beats.c.swept_at >= since)
    return connection.execute(query.order_by(worker_beats.c.swept_at.desc())).all()


def leave(connection: Connection, worker: str) -> None:
    """This worker ends."""
    connection.execute(delete(worker_beats).where(worker_beats.c.worker == worker))


def forget(connection: Connection, before: datetime) -> None:
    """Drop the workers that have not swept since."""
    connection.execute(delete(worker_beats).where(worker_beats.c.swept_at < before))
