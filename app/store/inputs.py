"""Inputs: what each job asks, kept apart from the jobs, whose rows are written often."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from app.models import batches, job_inputs, jobs

Asked = tuple[str, Mapping[str, Any]]
"""A text, and its options over the defaults of its batch."""

ASKED = (job_inputs.c.text_data, job_inputs.c.options, batches.c.options.label("defaults"))


def of_jobs(connection: Connection, job_ids: Iterable[UUID]) -> Mapping[UUID, Asked]:
    """What each of these jobs asks."""
    query = (
        select(jobs.c.id, *ASKED)
        .join(batches, batches.c.id == jobs.c.batch_id)
        .join(job_inputs, job_inputs.c.job_id == jobs.c.id)
        .where(jobs.c.id.in_(list(job_ids)))
    )
    return {row.id: asked(row) for row in connection.execute(query)}


def asked(row: Any) -> Asked:
    """From a row with the columns of `ASKED`."""
    return row.text_data, {**row.defaults, **row.options}
