"""Reparse: today's reader over stored bodies in which no text was recognised; what it finds was paid for already."""

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from app.errors import NotFound
from app.ids import show
from app.runtime import Runtime
from app.services import audit, salvage
from app.services.audit import By
from app.services.status import find_batch
from app.services.views import ReparseReport
from app.states import JobState
from app.store import batches, jobs

NOT_RECOGNISED = "text_not_recognised"
CHUNK = 100  # whole bodies are read


def reparse(runtime: Runtime, batch_id: UUID | None, *, by: By, is_dry_run: bool = False) -> ReparseReport:
    """f: complete the failed jobs of a batch, or of all, whose stored bodies yield text now. Nothing is submitted.

    Each chunk has its own transaction, so it can be broken off and run again. A dry run only counts.

    Raises:
        NotFound: no such batch.
    """
    read = completed = 0
    for chosen, job_ids in _chunks(runtime, batch_id):
        with runtime.database.reading() as connection:
            found = salvage.find(runtime, connection, job_ids)
        read += len(job_ids)
        completed += len(found) if is_dry_run else _complete(runtime, chosen, found, by)
    return ReparseReport(read, completed)


def reparse_job(runtime: Runtime, job_id: UUID, by: By) -> ReparseReport:
    """The same for one job.

    Raises:
        NotFound: no such job.
    """
    with runtime.database.reading() as connection:
        row = jobs.get(connection, None, job_id)
        if row is None:
            raise NotFound("job", show("job", job_id))
        is_unread = _is_unrecognised(row.state, row.error_code)
        found = salvage.find(runtime, connection, [job_id]) if is_unread else {}
    return ReparseReport(int(is_unread), _complete(runtime, row.batch_id, found, by))


def _chunks(runtime: Runtime, batch_id: UUID | None) -> Iterator[tuple[UUID, Sequence[UUID]]]:
    """The jobs to read again, a batch and some of its jobs at a time."""
    with runtime.database.reading() as connection:
        if batch_id is not None:
            find_batch(connection, None, batch_id)
        chosen = [batch_id] if batch_id is not None else jobs.batches_with_failed(connection, NOT_RECOGNISED)
    for each in chosen:
        after = -1
        while True:
            with runtime.database.reading() as connection:
                rows = jobs.failed_with(connection, each, NOT_RECOGNISED, after, CHUNK)
            if not rows:
                break
            yield each, [row.id for row in rows]
            after = rows[-1].position


def _complete(runtime: Runtime, batch_id: UUID, found: Mapping[UUID, salvage.Found], by: By) -> int:
    if not found:
        return 0
    moment = runtime.moment()
    with runtime.database.transaction() as connection:
        if not batches.lock(connection, [batch_id]):
            return 0
        cases = jobs.lock(connection, found).values()
        # Whatever was retried or cancelled since it was read is its owner's business again.
        still = {c.job.id: found[c.job.id] for c in cases if _is_unrecognised(c.job.state, c.job.error_code)}
        completed = salvage.complete(connection, still, moment, source="reparse")
        if completed:
            shown = show("batch", batch_id)
            audit.add(connection, moment.now, by, "batch.reparse", shown, completed=len(completed))
    return len(completed)


def _is_unrecognised(state: str, code: str | None) -> bool:
    return state == JobState.FAILED and code == NOT_RECOGNISED
