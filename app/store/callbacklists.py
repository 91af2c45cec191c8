"""Lists of callbacks of all batches, the newest first: bodies by their length only."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, exists, func, select

from app.models import batches, callbacks

_COLUMNS: list[Any] = [column for column in callbacks.c if column.name != "body"]
_COLUMNS.append(func.length(callbacks.c.body).label("bytes"))


def get(connection: Connection, callback_id: UUID) -> Row[Any] | None:
    """One; None: there is none, or its batch was removed."""
    return connection.execute(_there().where(callbacks.c.id == callback_id)).one_or_none()


def _there() -> Select[Any]:
    return select(*_COLUMNS).where(~_is_removed())


def _is_removed() -> ColumnElement[bool]:
    return exists().where(batches.c.id == callbacks.c.batch_id, batches.c.removed_at.is_not(None))
