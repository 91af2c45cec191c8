"""Usage: tokens, summed from what each answer says of itself."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import Connection, func, select

from app.models import job_inputs, job_results, jobs
from app.store.dialects import json_integer

_PLACES = {
    "input_tokens": ("usage", "prompt_tokens"),
    "output_tokens": ("usage", "completion_tokens"),
    "cached_tokens": ("usage", "prompt_tokens_details", "cached_tokens"),
    "reasoning_tokens": ("usage", "completion_tokens_details", "reasoning_tokens"),
}


def sums(connection: Connection, batch_id: UUID) -> Mapping[str, int]:
    """The tokens of a batch's answers by kind, and how many answers told any, `told`."""
    told = func.count(json_integer(job_results.c.details, *_PLACES["input_tokens"])).label("told")
    totals = [
        func.coalesce(func.sum(json_integer(job_results.c.details, *place)), 0).label(name)
        for name, place in _PLACES.items()
    ]
    query = select(told, *totals).join(jobs, jobs.c.id == job_results.c.job_id).where(jobs.c.batch_id == batch_id)
    row = connection.execute(query).one()
    return {name: int(value) for name, value in row._mapping.items()}  # noqa: SLF001 - columns by name


def models(connection: Connection, batch_id: UUID) -> Sequence[str]:
    """The first two of the models that a batch's jobs ask for."""
    model = job_inputs.c.options["model"].as_string()
    query = select(model).join(jobs, jobs.c.id == job_inputs.c.job_id).where(jobs.c.batch_id == batch_id)
    return connection.execute(query.where(model.is_not(None)).distinct().limit(2)).scalars().all()
