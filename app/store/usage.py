"""Usage: tokens, summed from what each answer says of itself."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, and_, func, select, update

from app.models import TOKENS, batch_figures, job_inputs, job_results, jobs
from app.store import figures
from app.store.dialects import json_integer

_PLACES = {
    "input_tokens": ("usage", "prompt_tokens"),
    "output_tokens": ("usage", "completion_tokens"),
    "cached_tokens": ("usage", "prompt_tokens_details", "cached_tokens"),
    "reasoning_tokens": ("usage", "completion_tokens_details", "reasoning_tokens"),
}


_MOST = 10**15


def kept(connection: Connection, batch_id: UUID) -> Mapping[str, int] | None:
    """What the answers of a batch took, by kind; None: it has some from a version that did not count this."""
    sums = (func.sum(batch_figures.c[name]).label(name) for name in TOKENS)
    is_untold = and_(batch_figures.c.told.is_(None), batch_figures.c.completed != 0)
    untold = func.count().filter(is_untold).label("untold")
    row = connection.execute(select(untold, *sums).where(batch_figures.c.batch_id == batch_id)).one()
    return None if row.untold else {name: int(getattr(row, name) or 0) for name in TOKENS}


def told(answers: Iterable[tuple[UUID, Mapping[str, Any]]]) -> Mapping[UUID, Mapping[str, int]]:
    """What answers took, each given by its batch and its details: by batch, in the words of its figures."""
    sums: dict[UUID, Counter[str]] = defaultdict(Counter)
    for batch_id, details in answers:
        found = {name: _integer(details, place) for name, place in _PLACES.items()}
        of_batch = sums[batch_id]
        of_batch.update({name: number for name, number in found.items() if number is not None})
        of_batch["told"] += found["input_tokens"] is not None
    return sums


def _integer(details: Any, place: Sequence[str]) -> int | None:
    for name in place:
        details = details.get(name) if isinstance(details, Mapping) else None
    return details if type(details) is int and 0 <= details < _MOST else None


def keep(connection: Connection, batch_id: UUID, sums: Mapping[str, int]) -> None:
    """What the answers of a batch took, as it was counted. No job of it may end meanwhile."""
    rows = update(batch_figures).where(batch_figures.c.batch_id == batch_id)
    connection.execute(rows.values(dict.fromkeys(TOKENS, 0)))
    figures.add(connection, {batch_id: sums})


def counted(connection: Connection, batch_id: UUID) -> Mapping[str, int]:
    """The same of all answers of a batch, which are all read: for those that were kept before this was."""
    told = func.count(json_integer(job_results.c.details, *_PLACES["input_tokens"])).label("told")
    totals = [
        func.coalesce(func.sum(json_integer(job_results.c.details, *place)), 0).label(name)
        for name, place in _PLACES.items()
    ]
    query = select(told, *totals).join(jobs, jobs.c.id == job_results.c.job_id).where(jobs.c.batch_id == batch_id)
    row = connection.execute(query).one()
    return {name: int(value) for name, value in row._mapping.items()}  # noqa: SLF001 - columns by name


def models(connection: Connection, batch_id: UUID) -> Sequence[str]:
    """The first two of the models that a batch's jobs ask for, which are all read, as above."""
    model = job_inputs.c.options["model"].as_string()
    query = select(model).join(jobs, jobs.c.id == job_inputs.c.job_id).where(jobs.c.batch_id == batch_id)
    return connection.execute(query.where(model.is_not(None)).distinct().limit(2)).scalars().all()
