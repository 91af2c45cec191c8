"""Stored bodies, to be read again: by their sizes first, so that nobody has to hold many large ones."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, select

from app.models import callbacks, jobs
from app.store.invariants import Scope


def sizes(connection: Connection, scope: Scope) -> Sequence[Row[UUID, int]]:
    """The `id` and the length in `bytes` of each body that is kept for a job in this scope."""
    query = select(callbacks.c.id, func.length(callbacks.c.body).label("bytes"))
    return connection.execute(query.join(jobs, jobs.c.id == callbacks.c.job_id).where(scope.has_job)).all()


def read(connection: Connection, callback_ids: Sequence[UUID]) -> Sequence[Row[Any]]:
    """These bodies whole, each with `sha256`, the hash under which it was kept."""
    columns: list[Any] = [callbacks.c[name] for name in ("id", "batch_id", "body", "sha256")]
    return connection.execute(select(*columns).where(callbacks.c.id.in_(callback_ids))).all()
