"""Stored bodies, to be read again: by their sizes first, so that nobody has to hold many large ones."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, and_, func, select

from app.models import callbacks, job_results, jobs
from app.store.invariants import Scope


def sizes(connection: Connection, scope: Scope) -> Sequence[Row[UUID, int]]:
    """The `id` and the length in `bytes` of each body that is kept for a job in this scope."""
    query = select(callbacks.c.id, func.length(callbacks.c.body).label("bytes"))
    return connection.execute(query.join(jobs, jobs.c.id == callbacks.c.job_id).where(scope.has_job)).all()


def read(connection: Connection, callback_ids: Sequence[UUID]) -> Sequence[Row[Any]]:
    """These bodies whole, each with `sha256`, the hash under which it was kept.

    One that is the source of a result has the `job_id` and the `text` of that; the others have None.
    """
    columns: list[Any] = [callbacks.c[name] for name in ("id", "batch_id", "provider", "body", "sha256")]
    columns += [job_results.c.job_id, job_results.c.text]
    is_source = and_(job_results.c.job_id == callbacks.c.job_id, job_results.c.source_sha256 == callbacks.c.sha256)
    query = select(*columns).outerjoin(job_results, is_source)
    return connection.execute(query.where(callbacks.c.id.in_(callback_ids))).all()
