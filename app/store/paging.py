"""Paging: where the next jobs of some states are, however large their batch."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select, tuple_, union_all

from app.models import jobs
from app.states import JobState
from app.store import attempts


def positions(
    batch_id: UUID, states: Sequence[JobState], after: int, limit: int, sent_before: datetime | None = None
) -> Select[int]:
    """The first `limit` positions behind `after` that hold a job in one of these states, or, if `sent_before` is given,
    one that waits for a callback since before then.

    State by state, each from the index that has them in this order: asked for all of them at once, or for a state
    that most jobs of other batches are in, a database would walk through the whole batch.
    """
    parts = [in_state(batch_id, state, after).limit(limit) for state in states]
    if sent_before is not None:
        waiting = in_state(batch_id, JobState.WAITING, after)
        parts.append(waiting.where(attempts.waits_since(sent_before)).limit(limit))
    found = union_all(*(select(part.subquery().c.position) for part in parts)).subquery()
    return select(found.c.position).order_by(found.c.position).limit(limit)


def in_state(batch_id: UUID, state: JobState, after: int) -> Select[int]:
    """The positions behind `after` that hold a job in this state, in order, in the words of the index."""
    behind = tuple_(jobs.c.state, jobs.c.position)
    query = select(jobs.c.position).where(jobs.c.batch_id == batch_id, jobs.c.state <= state)
    return query.where(behind > tuple_(state, after)).order_by(jobs.c.state, jobs.c.position)
