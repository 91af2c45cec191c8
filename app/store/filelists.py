"""Lists of files: what was uploaded, and what batches that have ended hold ready."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Integer,
    Row,
    Select,
    String,
    Uuid,
    cast,
    exists,
    literal,
    null,
    or_,
    select,
    tuple_,
    union_all,
)

from app.db import UtcDateTime
from app.models import batches, each_literally, files, jobs
from app.states import JobState
from app.store.dialects import seconds_between
from app.store.files import are_there

UPLOAD = "upload"
RESULT_PURPOSE = "batch_output"
STATES_OF = {"output": (JobState.COMPLETED,), "errors": (JobState.FAILED, JobState.CANCELLED)}
"""The states of the jobs that each result file of a batch is about."""

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
    listed = _listed(owner, now, purpose).subquery()
    columns = (listed.c.id, listed.c.kind)
    query = select(listed).limit(limit)
    query = query.order_by(*(column.asc() if is_ascending else column.desc() for column in columns))
    if after is not None:
        place, last = tuple_(*columns), tuple_(*_literals(after))
        query = query.where(place > last if is_ascending else place < last)
    return connection.execute(query).all()


def _listed(owner: str, now: datetime, purpose: str | None) -> CompoundSelect[Any]:
    uploads = _uploads(owner, now)
    if purpose is not None:
        uploads = uploads.where(files.c.purpose == purpose)
    results = [_results(owner, now, kind) for kind in STATES_OF] if purpose in (None, RESULT_PURPOSE) else []
    return union_all(uploads, *results)


def _uploads(owner: str, now: datetime) -> Select[Any]:
    columns = (files.c.id, literal(UPLOAD, String).label("kind"), files.c.created_at)
    of_uploads = (files.c.filename, files.c.purpose, files.c.bytes, files.c.expires_at)
    of_results = (cast(null(), UtcDateTime()).label("ended_at"), cast(null(), Integer).label("lifetime_seconds"))
    return select(*columns, *of_uploads, *of_results).where(files.c.owner == owner, are_there(now))


def _results(owner: str, now: datetime, kind: str) -> Select[Any]:
    """The result files of this kind, of batches that have ended."""
    age = seconds_between(batches.c.finalized_at, literal(now, UtcDateTime()))
    holds_something = exists().where(jobs.c.batch_id == batches.c.id, jobs.c.state.in_(each_literally(STATES_OF[kind])))
    columns = (batches.c.id, literal(kind, String).label("kind"), batches.c.created_at)
    lifetime = (batches.c.finalized_at, batches.c.files_lifetime_seconds)
    return select(*columns, null(), null(), null(), null(), *lifetime).where(
        batches.c.owner == owner,
        batches.c.removed_at.is_(None),
        batches.c.finalized_at.is_not(None),
        batches.c[f"{kind}_deleted_at"].is_(None),
        or_(batches.c.files_lifetime_seconds.is_(None), age < batches.c.files_lifetime_seconds),
        holds_something,
    )


def _literals(key: Key) -> Sequence[ColumnElement[Any]]:
    file_id, kind = key
    return [literal(file_id, Uuid), literal(kind, String)]
