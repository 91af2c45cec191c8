"""Sums over one batch or the whole inbox that are asked for seldom, so counted when they are."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, func, select

from app.models import attempts, callbacks, jobs
from app.states import OPEN_ATTEMPT_STATES, AttemptState

_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Spent:
    """What a batch cost, in 10^-9 units: for the attempts that gave the kept results, and for all others.

    `unpriced` counts the closed attempts that may have been billed without anybody having told how much.
    """

    useful_nano: int
    wasted_nano: int
    unpriced: int


def spent(connection: Connection, batch_id: UUID) -> Spent:
    """What a batch cost so far."""
    cost = func.coalesce(func.sum(attempts.c.cost_nano), 0)
    is_useful = attempts.c.state == AttemptState.COMPLETED
    free = (*OPEN_ATTEMPT_STATES, AttemptState.REFUSED)
    is_unpriced = attempts.c.state.not_in(free) & attempts.c.cost_nano.is_(None)
    query = (
        select(
            func.coalesce(func.sum(attempts.c.cost_nano).filter(is_useful), 0).label("useful"),
            cost.label("all"),
            func.count().filter(is_unpriced).label("unpriced"),
        )
        .select_from(attempts)
        .join(jobs, jobs.c.id == attempts.c.job_id)
        .where(jobs.c.batch_id == batch_id)
    )
    useful, whole, unpriced = connection.execute(query).one()
    return Spent(int(useful), int(whole) - int(useful), unpriced)


def outcomes(connection: Connection, batch_id: UUID) -> Mapping[str, int]:
    """How many different bodies of a batch had each outcome; those that none had are left out."""
    query = select(callbacks.c.outcome, func.count()).where(callbacks.c.batch_id == batch_id)
    return {outcome: number for outcome, number in connection.execute(query.group_by(callbacks.c.outcome))}  # noqa: C416 - a Row is not a pair


def next_outcomes(connection: Connection, after: UUID | None) -> tuple[Counter[str], UUID | None]:
    """As `outcomes`, for the next 20,000 bodies of the whole inbox; and where to go on, None at its end."""
    query = select(callbacks.c.id, callbacks.c.outcome).order_by(callbacks.c.id).limit(_ROWS_AT_ONCE)
    if after is not None:
        query = query.where(callbacks.c.id > after)
    rows = connection.execute(query).all()
    return Counter(row.outcome for row in rows), rows[-1].id if len(rows) == _ROWS_AT_ONCE else None
