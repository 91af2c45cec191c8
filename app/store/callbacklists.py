"""Lists of callbacks of all batches, the newest first: bodies by their length only."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, exists, func, select, union_all, update

from app.models import SET_ASIDE, attempts, batches, callbacks, each_literally, jobs, literally
from app.states import Outcome

_BEHIND_ALL = UUID(int=2**128 - 1)
_COLUMNS: list[Any] = [column for column in callbacks.c if column.name != "body"]
_COLUMNS += [
    func.length(callbacks.c.body).label("bytes"),
    attempts.c.number,
    func.coalesce(attempts.c.sent_at, attempts.c.created_at).label("sent_at"),
    jobs.c.custom_id,
]


def newest(connection: Connection, outcomes: Sequence[Outcome], before: UUID | None, limit: int) -> Sequence[UUID]:
    """The ids of up to `limit` with one of these outcomes, of all for none, older than `before`; newest first.

    Not what somebody discarded.
    """
    bound = _BEHIND_ALL if before is None else before
    parts = [_with(outcome, bound).limit(limit).subquery() for outcome in outcomes or (None,)]
    found = union_all(*(select(part.c.id) for part in parts)).subquery()
    return connection.execute(select(found.c.id).order_by(found.c.id.desc()).limit(limit)).scalars().all()


def rows(connection: Connection, callback_ids: Sequence[UUID]) -> Sequence[Row[Any]]:
    """These, newest first, each with `number` and `sent_at` of its attempt and `custom_id` of its job, None without
    one; not those of batches that were removed."""
    query = _there().where(callbacks.c.id.in_(callback_ids))
    return connection.execute(query.order_by(callbacks.c.id.desc())).all()


def get(connection: Connection, callback_id: UUID) -> Row[Any] | None:
    """One; None: there is none, or its batch was removed."""
    return connection.execute(_there().where(callbacks.c.id == callback_id)).one_or_none()


def whole(connection: Connection, callback_id: UUID) -> Row[Any] | None:
    """The same with its body, and of the tables beside it nothing."""
    query = select(callbacks).where(callbacks.c.id == callback_id, ~_is_removed())
    return connection.execute(query).one_or_none()


def judge(connection: Connection, callback_id: UUID, outcome: Outcome, detail: str | None) -> None:
    """What became of one, now that it was looked at again; its job is locked."""
    connection.execute(update(callbacks).where(callbacks.c.id == callback_id).values(outcome=outcome, detail=detail))


def _with(outcome: Outcome | None, before: UUID) -> Select[Any]:
    """Those of an outcome, in the words of the index that has them in this order."""
    query = select(callbacks.c.id).where(callbacks.c.id < before).order_by(callbacks.c.id.desc())
    if outcome is not None:
        query = query.where(callbacks.c.outcome == literally(outcome))
    if outcome is Outcome.ORPHAN:
        query = query.where(callbacks.c.discarded_at.is_(None))
    elif outcome in SET_ASIDE:
        query = query.where(callbacks.c.outcome.in_(each_literally(SET_ASIDE)))
    return query


def _there() -> Select[Any]:
    query = select(*_COLUMNS).select_from(callbacks)
    query = query.outerjoin(attempts, attempts.c.id == callbacks.c.attempt_id)
    return query.outerjoin(jobs, jobs.c.id == callbacks.c.job_id).where(~_is_removed())


def _is_removed() -> ColumnElement[bool]:
    return exists().where(batches.c.id == callbacks.c.batch_id, batches.c.removed_at.is_not(None))
