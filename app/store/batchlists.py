"""Lists of batches by what is asked of them: along the index of their ids, and no further than `LOOKED_AT`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Integer, Row, and_, false, func, literal_column, or_, select
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from app.models import batches

Columns = ReadOnlyColumnCollection[str, Any]

LOOKED_AT = 2000
"""So many batches are looked at for one page where no index knows all that is asked for."""

OPEN_STATUSES = frozenset({"in_progress", "paused", "cancelling"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of batches; what is empty leaves all. `name` is a part of the name, in any case of letters; `held`
    are the batches that something holds, which tells `paused` from `in_progress`."""

    statuses: Collection[str] = ()
    owner: str | None = None
    name: str | None = None
    held: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found, newest first, and the last batch that it looked at; None: there is nothing behind it."""

    rows: Sequence[Row[Any]]
    end: UUID | None


def look(connection: Connection, wanted: Wanted, before: UUID | None, limit: int) -> Looked:
    """Up to `limit` of the wanted batches that are older than `before`; fewer if `LOOKED_AT` batches hold no more."""
    is_search = bool(wanted.statuses) or wanted.name is not None
    most = LOOKED_AT if is_search else limit + 1
    conditions = _conditions(wanted, batches.c)
    chosen = select(batches.c.id).where(*_indexed(wanted)).order_by(batches.c.id.desc())
    if before is not None:
        chosen = chosen.where(batches.c.id < before)
    looked = chosen.limit(_written(most)).subquery()
    query = select(batches).join(looked, looked.c.id == batches.c.id).where(*conditions)
    rows = connection.execute(query.order_by(batches.c.id.desc()).limit(limit + 1)).all()
    if len(rows) > limit:
        return Looked(rows[:limit], rows[limit - 1].id)
    last = connection.execute(select(looked.c.id).order_by(looked.c.id.desc()).offset(most - 1).limit(1)).scalar()
    return Looked(rows, last)


def newer(connection: Connection, wanted: Wanted, after: UUID, most: int) -> int:
    """How many of the wanted batches are newer than this one, among the next `most`."""
    chosen = select(batches).where(*_indexed(wanted), batches.c.id > after).order_by(batches.c.id)
    looked = chosen.limit(_written(most)).subquery()
    return connection.execute(select(func.count()).where(*_conditions(wanted, looked.c))).scalar_one()


def _written(most: int) -> ColumnElement[int]:
    # Into the statement: not knowing how few are wanted, PostgreSQL would rather read all.
    return literal_column(str(most), Integer)


def _indexed(wanted: Wanted) -> Sequence[ColumnElement[bool]]:
    """What an index knows: the owner, and what is open."""
    found: list[ColumnElement[bool]] = []
    if wanted.owner is not None:
        found.append(batches.c.owner == wanted.owner)
    if wanted.statuses and OPEN_STATUSES.issuperset(wanted.statuses):
        found.append(batches.c.finalized_at.is_(None))
    return found


def _conditions(wanted: Wanted, table: Columns) -> Sequence[ColumnElement[bool]]:
    """What is asked of those that are looked at. Those that are being removed are always left out."""
    found: list[ColumnElement[bool]] = []
    if wanted.statuses:
        found.append(or_(*(_has(status, wanted.held, table) for status in wanted.statuses)))
    if wanted.name is not None:
        found.append(func.lower(table.name).contains(wanted.name.lower(), autoescape=True))
    return [table.removed_at.is_(None), *found]


def _has(status: str, held: Sequence[UUID], table: Columns) -> ColumnElement[bool]:
    """That a batch has this status, in the order of docs/states.md: the first that fits."""
    is_held = table.id.in_(held) if held else false()
    is_over, is_cancelled = table.finalized_at.is_not(None), table.cancel_requested_at.is_not(None)
    has_expired = table.finalized_at >= table.expires_at
    fitting = {
        "cancelled": and_(is_over, is_cancelled),
        "expired": and_(is_over, ~is_cancelled, has_expired),
        "completed": and_(is_over, ~is_cancelled, ~has_expired),
        "cancelling": and_(~is_over, is_cancelled),
        "paused": and_(~is_over, ~is_cancelled, is_held),
        "in_progress": and_(~is_over, ~is_cancelled, ~is_held),
    }
    return table.total == 0 if status == "failed" else and_(table.total > 0, fitting[status])
