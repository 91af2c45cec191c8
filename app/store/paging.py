"""Paging: where the next jobs of some states are, however large their batch."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, select, tuple_, union_all

from app.models import jobs
from app.states import JobState


def positions(batch_id: UUID, states: Sequence[JobState], after: int, limit: int) -> Select[int]:
    """The first `limit` positions behind `after` that hold a job in one of these states.

    State by state, each from the index that has them in this order: asked for all of them at once, or for a state
    that most jobs of other batches are in, a database would walk through the whole batch.
    """
    behind = tuple_(jobs.c.state, jobs.c.position)
    parts = [
        select(jobs.c.position)
        .where(jobs.c.batch_id == batch_id, jobs.c.state <= state, behind > tuple_(state, after))
        .order_by(jobs.c.state, jobs.c.position)
        .limit(limit)
        .subquery()
        for state in states
    ]
    found = union_all(*(select(part.c.position) for part in parts)).subquery()
    return select(found.c.position).order_by(found.c.position).limit(limit)
