"""Budgets: what the attempts of a batch may cost before nothing more of it is submitted."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import Connection, Row, func, select, text

from app.models import BUDGETED, batch_figures, batches


def spent(connection: Connection, batch_ids: Iterable[UUID] | None = None) -> Sequence[Row[UUID, int, int]]:
    """Those of these batches, of all for None, that have not ended and have cost their budget or more.

    `id`, `budget_nano` and `cost_nano` of each.
    """
    costs = select(func.coalesce(func.sum(batch_figures.c.cost_nano), 0)).where(
        batch_figures.c.batch_id == batches.c.id
    )
    cost = costs.scalar_subquery()
    query = select(batches.c.id, batches.c.budget_nano, cost.label("cost_nano"))
    query = query.where(text(BUDGETED), cost >= batches.c.budget_nano)
    if batch_ids is not None:
        query = query.where(batches.c.id.in_(list(batch_ids)))
    return connection.execute(query).all()
