"""Ids of files: `file-` and 32 digits for an upload, and with a suffix for what a batch holds ready."""

from typing import NamedTuple
from uuid import UUID

from app import ids
from app.runtime import Runtime
from app.services import files, resultfiles
from app.services.views import FileView, ResultKind


class FileId(NamedTuple):
    """What an id names: an upload (`kind` None), or the results of this kind of the batch with this id."""

    id: UUID
    kind: ResultKind | None


def read(shown: str) -> FileId:
    """What `shown` names.

    Raises:
        NotFound: it can't be the id of a file.
    """
    for kind in resultfiles.KINDS:
        if shown.endswith(f"-{kind}"):
            return FileId(ids.read_placed("file", shown.removesuffix(f"-{kind}")), kind)
    return FileId(ids.read_placed("file", shown), None)


def find(runtime: Runtime, owner: str, shown: str) -> FileView:
    """The file of this id.

    Raises:
        NotFound: no such file of this owner's.
    """
    file_id, kind = read(shown)
    if kind is None:
        return files.get(runtime, owner, file_id)
    return resultfiles.get(runtime, owner, file_id, kind)


def delete(runtime: Runtime, owner: str, shown: str) -> None:
    """Delete the file of this id; raises as `find`."""
    file_id, kind = read(shown)
    if kind is None:
        files.delete(runtime, owner, file_id)
    else:
        resultfiles.delete(runtime, owner, file_id, kind)
