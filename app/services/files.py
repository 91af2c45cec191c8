"""Files: uploads kept in the database in pieces, so that every web process has the same and none holds one whole."""

import io
import logging
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import IO, Any
from uuid import UUID

from app.errors import InputTooLarge, NotFound
from app.ids import new_id, show
from app.runtime import Runtime
from app.services.views import FileView, NewFile
from app.store import files

logger = logging.getLogger(__name__)

PIECE_BYTES = 1_000_000
_PIECES_AT_ONCE = 8  # of a transaction: SQLite has one writer at a time
_FILES_AT_ONCE = 10
_ABANDONED = timedelta(hours=1)


def store(runtime: Runtime, new: NewFile, content: IO[bytes]) -> FileView:
    """Keep a file. It is there when its last piece is; what breaks off before that is swept away.

    Raises:
        InputTooLarge: it has more bytes than one request may bring.
        NotFound: it took so long that it was swept away.
    """
    size = content.seek(0, io.SEEK_END)
    if size > runtime.settings.max_body_bytes:
        raise InputTooLarge(runtime.settings.max_body_bytes, "file")
    content.seek(0)
    now = runtime.moment().now
    row: dict[str, Any] = {
        "id": new_id(),
        "owner": new.owner,
        "filename": new.filename,
        "purpose": new.purpose,
        "created_at": now,
        "expires_at": None if new.lifetime_seconds is None else now + timedelta(seconds=new.lifetime_seconds),
    }
    with runtime.database.transaction() as connection:
        files.add(connection, row)
    _store_pieces(runtime, row["id"], content)
    with runtime.database.transaction() as connection:
        if not files.finish(connection, row["id"], size):
            raise NotFound("file", show("file", row["id"]))
    logger.info("file_stored", extra={"file_id": show("file", row["id"]), "bytes": size})
    return view(row | {"bytes": size})


def _store_pieces(runtime: Runtime, file_id: UUID, content: IO[bytes]) -> None:
    numbered = enumerate(iter(lambda: content.read(PIECE_BYTES), b""))
    while group := list(islice(numbered, _PIECES_AT_ONCE)):
        with runtime.database.transaction() as connection:
            for number, piece in group:
                files.add_piece(connection, file_id, number, piece)


def get(runtime: Runtime, owner: str, file_id: UUID) -> FileView:
    """One upload.

    Raises:
        NotFound: no such file of this owner's.
    """
    now = runtime.moment().now
    with runtime.database.reading() as connection:
        row = files.get(connection, owner, file_id, now)
    if row is None:
        raise NotFound("file", show("file", file_id))
    return view(row._mapping)  # noqa: SLF001 - the documented way to a row's columns by name


def pieces(runtime: Runtime, file_id: UUID) -> Iterator[bytes]:
    """The bytes of an upload, piece by piece, each read in a transaction of its own."""
    number = 0
    while True:
        with runtime.database.reading() as connection:
            piece = files.piece(connection, file_id, number)
        if piece is None:
            return
        yield piece
        number += 1


def reader(runtime: Runtime, file_id: UUID) -> IO[bytes]:
    """The bytes of an upload as a file to read from its beginning to its end."""
    return io.BufferedReader(_Pieces(pieces(runtime, file_id)))


class _Pieces(io.RawIOBase):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            self._left = memoryview(next(self._pieces, b""))
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


def delete(runtime: Runtime, owner: str, file_id: UUID) -> None:
    """Remove an upload: at once for all to see, its pieces by the sweep. Batches made from it have their own copy.

    Raises:
        NotFound: no such file of this owner's.
    """
    get(runtime, owner, file_id)
    with runtime.database.transaction() as connection:
        files.mark_removed(connection, [file_id], runtime.moment().now)


def retire(runtime: Runtime) -> bool:
    """Mark files that have expired, and uploads that broke off; whether there are more."""
    now = runtime.moment().now
    with runtime.database.reading() as connection:
        found = files.outlived(connection, now, now - _ABANDONED, _FILES_AT_ONCE)
    if found:
        with runtime.database.transaction() as connection:
            files.mark_removed(connection, found, now)
    return len(found) >= _FILES_AT_ONCE


def remove_marked(runtime: Runtime) -> bool:
    """Delete some pieces of each of some files that are marked, and files without any; whether there is more."""
    with runtime.database.reading() as connection:
        marked = files.removed(connection, _FILES_AT_ONCE)
    for file_id in marked:
        with runtime.database.transaction() as connection:
            if files.remove_pieces(connection, file_id, _PIECES_AT_ONCE) < _PIECES_AT_ONCE:
                files.remove(connection, file_id)
    return bool(marked)


def view(row: Any) -> FileView:
    """A row of a file that is whole."""
    return FileView(
        id=show("file", row["id"]),
        filename=row["filename"],
        purpose=row["purpose"],
        bytes=row["bytes"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )
