"""Orphans: bodies of the inbox that belong to no job here, until they are matched or discarded."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, delete, exists, func, select, update

from app.models import attempts, callbacks, literally
from app.states import Outcome

UNPROVEN = "unauthenticated"
"""The `source` of a body that came without a token."""

_IS_ORPHAN = callbacks.c.outcome == literally(Outcome.ORPHAN)
_IS_LISTED = (_IS_ORPHAN, callbacks.c.discarded_at.is_(None))
_SHOWN: list[Any] = [column for column in callbacks.c if column.name != "body"]
_SHOWN.append(func.length(callbacks.c.body).label("bytes"))


def due(connection: Connection, now: datetime, limit: int) -> Sequence[Row[Any]]:
    """Up to `limit` orphans whose attempt is to be looked for again: `id`, `received_at`, and `has_attempt`."""
    has_attempt = exists().where(attempts.c.id == callbacks.c.attempt_id)
    query = select(callbacks.c.id, callbacks.c.received_at, has_attempt.label("has_attempt"))
    query = query.where(callbacks.c.rematch_at.is_not(None), callbacks.c.rematch_at <= now)
    return connection.execute(query.order_by(callbacks.c.rematch_at).limit(limit)).all()


def put_off(connection: Connection, until: Mapping[UUID, datetime | None]) -> None:
    """When each is looked for again; None: never."""
    if until:
        statement = update(callbacks).where(callbacks.c.id == bindparam("row_id"), _IS_ORPHAN)
        at = bindparam("at", type_=callbacks.c.rematch_at.type)
        rows = [{"row_id": callback_id, "at": moment} for callback_id, moment in sorted(until.items())]
        connection.execute(statement.values(rematch_at=at), rows)


def whole(connection: Connection, callback_ids: Iterable[UUID]) -> Sequence[Row[Any]]:
    """These orphans with their bodies, first to last."""
    query = select(callbacks).where(callbacks.c.id.in_(list(callback_ids)), *_IS_LISTED)
    return connection.execute(query.order_by(callbacks.c.id)).all()


def page(connection: Connection, before: UUID | None, limit: int) -> Sequence[Row[Any]]:
    """Up to `limit` of those that nobody discarded, newest first, older than `before`; bodies by their length only."""
    query = select(*_SHOWN).where(*_IS_LISTED).order_by(callbacks.c.id.desc()).limit(limit)
    return connection.execute(query if before is None else query.where(callbacks.c.id < before)).all()


def take(connection: Connection, callback_ids: Collection[UUID]) -> set[UUID]:
    """Take these out of the inbox, for whoever puts them back as what they are; those that were still orphans.

    Their jobs are locked, so nobody else has taken them and not put them back.
    """
    chosen = delete(callbacks).where(callbacks.c.id.in_(callback_ids), *_IS_LISTED)
    return set(connection.execute(chosen.returning(callbacks.c.id)).scalars())


def adopt(connection: Connection, callback_id: UUID, job_id: UUID, batch_id: UUID) -> int | None:
    """This one is a job's, as somebody says; how often it came. None: it is no orphan any more."""
    values = {"outcome": Outcome.APPLIED, "detail": "matched by an operator", "rematch_at": None}
    chosen = update(callbacks).where(callbacks.c.id == callback_id, *_IS_LISTED)
    changed = chosen.values(job_id=job_id, batch_id=batch_id, **values).returning(callbacks.c.times)
    times: int | None = connection.execute(changed).scalar()
    return times


def discard(connection: Connection, callback_id: UUID, now: datetime) -> bool:
    """Mark one as nobody's; it is kept. False: it is no orphan, or was discarded before."""
    chosen = update(callbacks).where(callbacks.c.id == callback_id, *_IS_LISTED)
    return connection.execute(chosen.values(discarded_at=now, rematch_at=None)).rowcount == 1


def unproven(connection: Connection, most: int) -> int:
    """How many came without a token and were not looked at yet, counted up to `most`."""
    chosen = select(callbacks.c.id).where(*_IS_LISTED, callbacks.c.source == literally(UNPROVEN)).limit(most)
    return connection.execute(select(func.count()).select_from(chosen.subquery())).scalar_one()


def is_known(connection: Connection, batch_id: UUID, sha256: str) -> bool:
    """Whether a body without a token is here already."""
    same = (callbacks.c.batch_id == batch_id, callbacks.c.sha256 == sha256, callbacks.c.source == literally(UNPROVEN))
    return connection.execute(select(callbacks.c.id).where(*same).limit(1)).first() is not None
