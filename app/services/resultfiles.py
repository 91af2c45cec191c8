"""Result files: what a batch has to show, read from its jobs whenever it is asked for and copied nowhere."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.errors import NotFound
from app.ids import show
from app.runtime import Runtime
from app.services import status
from app.services.views import BatchView, FileLine, FileView, ResultFile, ResultKind
from app.states import JobState
from app.store import batches, resultfiles
from app.store.filelists import RESULT_PURPOSE, STATES_OF

KINDS: tuple[ResultKind, ...] = ("output", "errors")
SETTLED = timedelta(seconds=10)
"""Of a batch that has not ended, a job is shown when it ended so long ago that no transaction can still commit one that
ended before it: whoever reads on from a line that he knows misses none and gets none twice."""

_PAGE = 250


def shown_id(batch_id: UUID, kind: ResultKind) -> str:
    """The id of a result file; it says whose results it holds, so nothing has to be stored of it."""
    return f"{show('file', batch_id)}-{kind}"


def view(runtime: Runtime, batch: BatchView, kind: ResultKind) -> FileView | None:
    """The file of this kind; None if there is nothing in it, or it was deleted, or has expired."""
    number = sum(batch.counts[state] for state in STATES_OF[kind])
    expires_at = batch.files_expire_at
    if not number or kind in batch.deleted_files or (expires_at and expires_at <= runtime.moment().now):
        return None
    return listed(batch.id, kind, batch.created_at, expires_at)


def listed(batch_id: UUID, kind: ResultKind, created_at: datetime, expires_at: datetime | None) -> FileView:
    """A result file of which it is known that it is there."""
    filename = f"{show('batch', batch_id)}_{kind}.jsonl"
    return FileView(shown_id(batch_id, kind), filename, RESULT_PURPOSE, None, created_at, expires_at)


def get(runtime: Runtime, owner: str, batch_id: UUID, kind: ResultKind) -> FileView:
    """One result file.

    Raises:
        NotFound: no such batch of this owner's, or no such file of it.
    """
    found = view(runtime, status.batch(runtime, owner, batch_id), kind)
    if found is None:
        raise NotFound("file", shown_id(batch_id, kind))
    return found


def read(runtime: Runtime, owner: str, batch_id: UUID, kind: ResultKind, offset: int = 0) -> ResultFile:
    """The lines of a result file in the order in which the jobs ended, from behind the first `offset` ones.

    Which they are is decided now; they are read page by page, each in a transaction of its own.

    Raises:
        NotFound: as `get`.
    """
    get(runtime, owner, batch_id, kind)
    with runtime.database.reading() as connection:
        is_complete = status.find_batch(connection, owner, batch_id).finalized_at is not None
        ended_by = None if is_complete else runtime.moment().now - SETTLED
        chosen = resultfiles.positions(connection, batch_id, STATES_OF[kind], ended_by, offset)
    return ResultFile(is_complete, offset + len(chosen), _lines(runtime, batch_id, STATES_OF[kind], chosen))


def delete(runtime: Runtime, owner: str, batch_id: UUID, kind: ResultKind) -> None:
    """From now on the batch has no such file. Its results stay with it until it is removed itself.

    Raises:
        NotFound: as `get`.
    """
    get(runtime, owner, batch_id, kind)
    now = runtime.moment().now
    with runtime.database.transaction() as connection:
        status.lock_batch(connection, owner, batch_id)
        batches.change(connection, batch_id, **{f"{kind}_deleted_at": now})


def _lines(
    runtime: Runtime, batch_id: UUID, states: Sequence[JobState], positions: Sequence[int]
) -> Iterator[FileLine]:
    for start in range(0, len(positions), _PAGE):
        with runtime.database.reading() as connection:
            rows = resultfiles.lines(connection, batch_id, states, positions[start : start + _PAGE])
        yield from map(line_of, rows)


def line_of(row: Any) -> FileLine:
    """A row of the store, of a job that has ended, as a line."""
    return FileLine(
        job_id=row.id,
        custom_id=row.custom_id,
        state=row.state,
        model=row.model,
        finished_at=row.finished_at,
        text=row.text,
        details=row.details or {},
        error_code=row.error_code,
        error_message=row.error_message,
        http_status=row.http_status,
    )
