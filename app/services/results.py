"""Results: a batch's answers as one stream, in input order, at any moment."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from app.runtime import Runtime
from app.services import status
from app.services.shown import job_view, result_view
from app.services.views import ResultLine, ResultStream
from app.states import JobState
from app.store import batches
from app.store import results as result_rows

_PAGE = 250


def stream(runtime: Runtime, owner: str | None, batch_id: UUID, states: Sequence[str] = ()) -> ResultStream:
    """All jobs of a batch with their answers so far; only those in `states`, if any are named.

    Read page by page, each in a transaction of its own, so a slow reader holds nothing.

    Raises:
        NotFound: no such batch of this owner's.
        InvalidInput: an unknown state.
    """
    wanted = status.read_states(states)
    with runtime.database.reading() as connection:
        status.find_batch(connection, owner, batch_id)
        is_complete = not batches.has_open_jobs(connection, batch_id)
    return ResultStream(is_complete, _lines(runtime, batch_id, wanted))


def _lines(runtime: Runtime, batch_id: UUID, states: Sequence[JobState]) -> Iterator[ResultLine]:
    after = -1
    while True:
        with runtime.database.reading() as connection:
            rows = result_rows.page(connection, batch_id, states, after, _PAGE)
        for row in rows:
            answer = None if row.text is None else result_view(row, row.answered_at)
            yield ResultLine(job_view(row), answer)
        if len(rows) < _PAGE:
            return
        after = rows[-1].position
