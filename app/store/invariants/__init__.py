"""What holds in the database whatever happened: each invariant is one statement that finds the rows that break it."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, Row, select

from app.models import batches
from app.store.invariants.of_batches import OF_BATCHES
from app.store.invariants.of_jobs import OF_JOBS
from app.store.invariants.of_results import OF_RESULTS
from app.store.invariants.scope import LAST_POSITION, Invariant, Scope, Violation

__all__ = [
    "ALL",
    "BY_BATCH",
    "BY_JOB",
    "LAST_POSITION",
    "Invariant",
    "Scope",
    "Violation",
    "next_batches",
    "violations",
]

BY_BATCH: tuple[Invariant, ...] = OF_BATCHES
"""Those that need whole batches."""
BY_JOB: tuple[Invariant, ...] = (*OF_JOBS, *OF_RESULTS)
"""Those that can take a large batch in parts."""
ALL: tuple[Invariant, ...] = (*BY_BATCH, *BY_JOB)


def violations(connection: Connection, invariant: Invariant, scope: Scope, limit: int) -> Sequence[Violation]:
    """Up to `limit` rows in this scope that break an invariant."""
    rows = invariant.select(scope).subquery()
    query = select(rows.c.id, rows.c.batch_id, rows.c.reason).where(rows.c.reason.is_not(None)).limit(limit)
    return [Violation(invariant.kind, row.id, row.batch_id, row.reason) for row in connection.execute(query)]


def next_batches(connection: Connection, after: UUID | None, limit: int) -> Sequence[Row[UUID, int]]:
    """`id` and `total` of up to `limit` batches in the order of their ids, from behind `after`; none being removed."""
    query = select(batches.c.id, batches.c.total).where(batches.c.removed_at.is_(None))
    query = query.order_by(batches.c.id).limit(limit)
    if after is not None:
        query = query.where(batches.c.id > after)
    return connection.execute(query).all()
