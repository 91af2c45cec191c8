"""What a manifest says of each job, page by page."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select

from app.models import batches, job_inputs, job_results, jobs


def page(connection: Connection, batch_id: UUID, after: int, limit: int) -> Sequence[Row[Any]]:
    """Up to `limit` jobs of a batch in input order from behind position `after`.

    Each with `text_data` and `options`, what it asks of its own, the `defaults` of its batch, and the `text` of its
    result, None without one.
    """
    columns: list[Any] = [jobs.c[name] for name in ("id", "position", "custom_id", "state")]
    columns += [job_inputs.c.text_data, job_inputs.c.options, batches.c.options.label("defaults"), job_results.c.text]
    query = (
        select(*columns)
        .select_from(jobs)
        .join(batches, batches.c.id == jobs.c.batch_id)
        .join(job_inputs, job_inputs.c.job_id == jobs.c.id)
        .outerjoin(job_results, job_results.c.job_id == jobs.c.id)
        .where(jobs.c.batch_id == batch_id, jobs.c.position > after)
        .order_by(jobs.c.position)
        .limit(limit)
    )
    return connection.execute(query).all()
