"""Lists of jobs of all batches: each is read along an index that has its order, and no further than `LOOKED_AT`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Subquery,
    and_,
    func,
    literal_column,
    or_,
    select,
    union_all,
)

from app.models import attempts, batches, jobs
from app.states import JobState
from app.store.attempts import waits_since
from app.store.joborders import PARTS, Place, Wanted, has_error, in_order, within

LOOKED_AT = 500
"""So many jobs are looked at for one page where no index knows all that is asked for."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found, in order, and where it ended; None: there is nothing behind it."""

    rows: Sequence[Row[Any]]
    end: Place | None


def look(connection: Connection, wanted: Wanted, after: Place | None, limit: int) -> Looked:
    """Up to `limit` of the wanted jobs from behind `after`, each with the name of its batch and `sent_at` of its last
    submit; fewer if `LOOKED_AT` jobs hold no more. Jobs of batches that are being removed are left out."""
    conditions, last = tuple(_conditions(wanted)), attempts.alias("last")
    most = LOOKED_AT if conditions else limit + 1
    looked = _looked(wanted, after, most)
    key = in_order(wanted.order, looked.c.key, looked.c.id)
    query = (
        select(
            jobs,
            batches.c.name.label("batch_name"),
            func.coalesce(last.c.sent_at, last.c.created_at).label("sent_at"),
            looked.c.key,
        )
        .join(looked, looked.c.id == jobs.c.id)
        .join(batches, batches.c.id == jobs.c.batch_id)
        .outerjoin(last, last.c.id == jobs.c.current_attempt_id)
        .where(batches.c.removed_at.is_(None), *conditions)
        .order_by(*key)
        .limit(limit + 1)
    )
    rows = connection.execute(query).all()
    if len(rows) > limit:
        return Looked(rows[:limit], (rows[limit - 1].key, rows[limit - 1].id))
    end = connection.execute(select(looked.c.key, looked.c.id).order_by(*key).offset(most - 1).limit(1)).first()
    return Looked(rows, None if end is None else (end.key, end.id))


def count(connection: Connection, wanted: Wanted, most: int) -> tuple[int, bool]:
    """How many jobs are wanted among the first `most` that have to be looked at, and whether those were all."""
    looked = _looked(wanted, None, most)
    query = select(func.count()).select_from(jobs).join(looked, looked.c.id == jobs.c.id)
    query = query.join(batches, batches.c.id == jobs.c.batch_id)
    found = connection.execute(query.where(batches.c.removed_at.is_(None), *_conditions(wanted))).scalar_one()
    return found, connection.execute(select(looked.c.id).offset(most - 1).limit(1)).first() is None


def _looked(wanted: Wanted, after: Place | None, most: int) -> Subquery:
    """`id` and `key` of the first `most` jobs behind a place, in order."""
    # Written into the statement: not knowing how few are wanted, PostgreSQL would rather read all.
    bound: ColumnElement[int] = literal_column(str(most), Integer)
    parts = [part.limit(bound).subquery() for part in PARTS[wanted.order](wanted, after)]
    found = union_all(*(select(part.c.id, part.c.key) for part in parts)).subquery()
    ordered = in_order(wanted.order, found.c.key, found.c.id)
    return select(found.c.id, found.c.key).order_by(*ordered).limit(bound).subquery()


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    """What is asked for that the order has not seen to."""
    order = wanted.order
    if wanted.batch_id is not None and order != "batch":
        yield jobs.c.batch_id == wanted.batch_id
    if wanted.sent_before is not None:
        yield or_(jobs.c.state.in_(wanted.states), *(_is_overdue(*each) for each in wanted.sent_before.items()))
    elif wanted.states and (order == "newest" or wanted.error_code is not None):
        yield jobs.c.state.in_(wanted.states)
    if wanted.error_code is not None and order != "ended":
        yield has_error(wanted)
    if wanted.min_attempts:
        yield jobs.c.attempts >= wanted.min_attempts
    if order != "newest":
        yield from within(jobs.c.created_at, wanted.created)
    if order != "ended":
        yield from within(jobs.c.finished_at, wanted.finished)


def _is_overdue(provider: str, sent_before: datetime) -> ColumnElement[bool]:
    return and_(jobs.c.state == JobState.WAITING, jobs.c.provider == provider, waits_since(sent_before))
