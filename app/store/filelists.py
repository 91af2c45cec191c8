"""Lists of files: what was uploaded, and what batches that have ended hold ready."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    String,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from app.db import UtcDateTime
from app.models import batch_figures, batches, files
from app.states import JobState
from app.store.dialects import seconds_between
from app.store.files import are_there

UPLOAD = "upload"
RESULT_PURPOSE = "batch_output"
STATES_OF = {"output": (JobState.COMPLETED,), "errors": (JobState.FAILED, JobState.CANCELLED)}
"""The states of the jobs that each result file of a batch is about."""

_OF_UPLOADS = ("filename", "purpose", "bytes", "expires_at")

Key = tuple[UUID, str]
"""Where a file stands in a list: its own id or that of its batch, which say how old they are, and what kind it is."""


def page(
    connection: Connection,
    owner: str,
    now: datetime,
    *,
    purpose: str | None,
    after: Key | None,
    limit: int,
    is_ascending: bool,
) -> Sequence[Row[Any]]:
    """Up to `limit` files by their age: `id`, `kind`, `created_at`, and what else there is of them.

    Of uploads, `filename`, `purpose`, `bytes` and `expires_at`; of results, when their batch ended, `ended_at`, and how
    long they last after it, `lifetime_seconds`.
    """
    # Each sort by itself up to the limit, along an index: the union of all that there is would be read to its end.
    parts = [
        select(_part(query, column, kind, after, is_ascending=is_ascending).limit(limit).subquery())
        for kind, column, query in _listed(owner, now, purpose)
    ]
    listed = union_all(*parts).subquery()
    places = (_in_order(column, is_ascending=is_ascending) for column in (listed.c.id, listed.c.kind))
    return connection.execute(select(listed).order_by(*places).limit(limit)).all()


def _listed(owner: str, now: datetime, purpose: str | None) -> Iterator[tuple[str, ColumnElement[UUID], Select[Any]]]:
    """The sorts of files: what each is called, the column of its ids, and the query for all of it."""
    uploads = _uploads(owner, now)
    yield UPLOAD, files.c.id, uploads if purpose is None else uploads.where(files.c.purpose == purpose)
    if purpose in (None, RESULT_PURPOSE):
        for kind in STATES_OF:
            yield kind, batches.c.id, _results(owner, now, kind)


def _part(
    query: Select[Any], column: ColumnElement[UUID], kind: str, after: Key | None, *, is_ascending: bool
) -> Select[Any]:
    query = query.order_by(_in_order(column, is_ascending=is_ascending))
    if after is None:
        return query
    last, kind_of_last = after
    if is_ascending:
        return query.where(column >= last if kind > kind_of_last else column > last)
    return query.where(column <= last if kind < kind_of_last else column < last)


def _in_order(column: ColumnElement[Any], *, is_ascending: bool) -> ColumnElement[Any]:
    return column.asc() if is_ascending else column.desc()


def _uploads(owner: str, now: datetime) -> Select[Any]:
    columns = (files.c.id, literal(UPLOAD, String).label("kind"), files.c.created_at)
    of_uploads = (files.c[name] for name in _OF_UPLOADS)
    of_results = (cast(null(), UtcDateTime()).label("ended_at"), cast(null(), Integer).label("lifetime_seconds"))
    return select(*columns, *of_uploads, *of_results).where(files.c.owner == owner, are_there(now))


def _results(owner: str, now: datetime, kind: str) -> Select[Any]:
    """The result files of this kind, of batches that have ended."""
    age = seconds_between(batches.c.finalized_at, literal(now, UtcDateTime()))
    # By the figures: to find a failed job among a million that are not, the planner may read them all.
    number = sum((batch_figures.c[state] for state in STATES_OF[kind]), start=literal(0, Integer))
    held = select(func.sum(number)).where(batch_figures.c.batch_id == batches.c.id).scalar_subquery()
    columns = (batches.c.id, literal(kind, String).label("kind"), batches.c.created_at)
    lifetime = (batches.c.finalized_at, batches.c.files_lifetime_seconds)
    of_uploads = (cast(null(), files.c[name].type).label(name) for name in _OF_UPLOADS)
    return select(*columns, *of_uploads, *lifetime).where(
        batches.c.owner == owner,
        batches.c.removed_at.is_(None),
        batches.c.finalized_at.is_not(None),
        batches.c[f"{kind}_deleted_at"].is_(None),
        or_(batches.c.files_lifetime_seconds.is_(None), age < batches.c.files_lifetime_seconds),
        held > 0,
    )
