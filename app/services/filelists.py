"""Lists of files, uploads and results together, page by page."""

from datetime import timedelta
from typing import Any, Literal

from app.errors import InvalidInput, NotFound, Problem
from app.runtime import Runtime
from app.services import fileids, files, resultfiles
from app.services.views import FileView, Page
from app.store import filelists
from app.store.filelists import UPLOAD

Order = Literal["asc", "desc"]


def page(
    runtime: Runtime, owner: str, *, purpose: str | None, after: str | None, limit: int, order: Order
) -> Page[FileView]:
    """Up to `limit` files of an owner's, by their age; those of one purpose, if one is named.

    Raises:
        InvalidInput: `after` can't be the id of a file. One that was deleted meanwhile still says where to go on.
    """
    last = None if after is None else _key(after)
    with runtime.database.reading() as connection:
        rows = filelists.page(
            connection,
            owner,
            runtime.moment().now,
            purpose=purpose,
            after=last,
            limit=limit + 1,
            is_ascending=order == "asc",
        )
    views = tuple(map(_view, rows[:limit]))
    return Page(views, views[-1].id if len(rows) > limit else None)


def _key(shown: str) -> filelists.Key:
    try:
        file_id, kind = fileids.read(shown)
    except NotFound as error:
        raise InvalidInput([Problem(str(error), "/after", value=shown[:100])]) from error
    return file_id, kind or UPLOAD


def _view(row: Any) -> FileView:
    if row.kind == UPLOAD:
        return files.view(row._mapping)  # noqa: SLF001 - the documented way to a row's columns by name
    lifetime = row.lifetime_seconds
    expires_at = None if lifetime is None else row.ended_at + timedelta(seconds=lifetime)
    return resultfiles.listed(row.id, row.kind, row.created_at, expires_at)
