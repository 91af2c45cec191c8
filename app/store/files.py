"""Files: what was uploaded, a row and its pieces."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, or_, select, update

from app.models import file_pieces, files


def add(connection: Connection, row: Mapping[str, Any]) -> None:
    """A file of which nothing is there yet, so that nobody sees it."""
    connection.execute(insert(files), dict(row))


def add_piece(connection: Connection, file_id: UUID, number: int, content: bytes) -> None:
    """The next piece of a file, counted from 0."""
    connection.execute(insert(file_pieces), {"file_id": file_id, "number": number, "content": content})


def finish(connection: Connection, file_id: UUID, size: int) -> bool:
    """All pieces are there: from this commit on the file is. False: it was swept away meanwhile."""
    chosen = update(files).where(files.c.id == file_id, files.c.removed_at.is_(None))
    return connection.execute(chosen.values(bytes=size)).rowcount == 1


def are_there(now: datetime) -> ColumnElement[bool]:
    """That files are whole, not removed and not expired; a condition, to be part of queries."""
    is_whole = and_(files.c.removed_at.is_(None), files.c.bytes.is_not(None))
    return and_(is_whole, or_(files.c.expires_at.is_(None), files.c.expires_at > now))


def get(connection: Connection, owner: str, file_id: UUID, now: datetime) -> Row[Any] | None:
    """One file of this owner's."""
    query = select(files).where(files.c.id == file_id, files.c.owner == owner, are_there(now))
    return connection.execute(query).one_or_none()


def piece(connection: Connection, file_id: UUID, number: int) -> bytes | None:
    """One piece; None behind the last."""
    query = select(file_pieces.c.content).where(file_pieces.c.file_id == file_id, file_pieces.c.number == number)
    return connection.execute(query).scalar_one_or_none()


def mark_removed(connection: Connection, file_ids: Sequence[UUID], now: datetime) -> int:
    """From this commit on there are no such files; how many of them there were."""
    chosen = update(files).where(files.c.id.in_(file_ids), files.c.removed_at.is_(None))
    return connection.execute(chosen.values(removed_at=now)).rowcount


def outlived(connection: Connection, now: datetime, begun_by: datetime, limit: int) -> Sequence[UUID]:
    """Up to `limit` files that have expired, and as many that were `begun_by` then and never became whole."""
    is_kept = files.c.removed_at.is_(None)
    expired = select(files.c.id).where(is_kept, files.c.expires_at.is_not(None), files.c.expires_at <= now)
    broken_off = select(files.c.id).where(is_kept, files.c.bytes.is_(None), files.c.created_at <= begun_by)
    return [found for query in (expired, broken_off) for found in connection.execute(query.limit(limit)).scalars()]


def removed(connection: Connection, limit: int) -> Sequence[UUID]:
    """Up to `limit` files that are marked and still hold something."""
    query = select(files.c.id).where(files.c.removed_at.is_not(None)).order_by(files.c.id).limit(limit)
    return connection.execute(query).scalars().all()


def remove_pieces(connection: Connection, file_id: UUID, limit: int) -> int:
    """Delete up to `limit` pieces of a file; how many there were."""
    first = select(file_pieces.c.number).where(file_pieces.c.file_id == file_id).limit(limit)
    chosen = connection.execute(first).scalars().all()
    connection.execute(delete(file_pieces).where(file_pieces.c.file_id == file_id, file_pieces.c.number.in_(chosen)))
    return len(chosen)


def remove(connection: Connection, file_id: UUID) -> None:
    """Delete a file that has no piece left."""
    connection.execute(delete(files).where(files.c.id == file_id))
