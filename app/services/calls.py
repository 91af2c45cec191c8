"""Calls: a batch of one job, whose maker waits for the answer."""

import logging
import time
from collections.abc import Callable, Iterator
from uuid import UUID

from app.errors import DatabaseUnavailable, NotFound
from app.ids import show
from app.runtime import Runtime
from app.services import creation, resultfiles
from app.services.views import FileLine, NewBatch, NewJob
from app.states import OPEN_JOB_STATES, JobState
from app.store import resultfiles as lines

logger = logging.getLogger(__name__)

NAME = "chat completion"
LIFETIME_SECONDS = 86400.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 1.0
_GROWTH = 1.5


class AnswerPending(Exception):
    """There is no answer yet; the job goes on. `job_id` as it is shown, None if it was never seen."""

    def __init__(self, batch_id: UUID, job_id: UUID | None) -> None:
        self.job_id = None if job_id is None else show("job", job_id)
        place = f"/api/jobs/{self.job_id}" if self.job_id else f"/api/batches/{show('batch', batch_id)}/results"
        super().__init__(f"There is no answer yet, but nothing is lost: GET {place} has it when it has come.")


def make(runtime: Runtime, owner: str, key: str | None, request_sha256: str, read: Callable[[], NewJob]) -> UUID:
    """The batch of the job that `read` finds, or that this very request made before.

    Raises:
        InvalidInput: nothing was stored.
        Conflict: the idempotency key was used for another request.
    """
    seen = None if key is None else creation.find_replay(runtime, owner, key, request_sha256)
    if seen is not None:
        return seen
    new = NewBatch(
        owner=owner,
        name=NAME,
        expires_in_seconds=LIFETIME_SECONDS,
        idempotency_key=key,
        request_sha256=request_sha256,
    )
    return creation.create(runtime, new, [read()]).batch.id


def wait(runtime: Runtime, batch_id: UUID, is_given_up: Callable[[], bool]) -> FileLine:
    """The job of a batch, once it has ended.

    It is told at once of an end in this process, and looks for one elsewhere, more and more seldom; no connection is
    held meanwhile. While the database is away it goes on waiting: the job may be paid for by now.

    Raises:
        AnswerPending: the time is over, nobody waits any more, or the process ends; the job goes on.
        NotFound: the batch was removed meanwhile.
    """
    give_up_at = time.monotonic() + runtime.settings.call_timeout_seconds
    job_id: UUID | None = None
    with runtime.endings.of(batch_id) as has_ended:
        for pause_seconds in _pauses():
            has_ended.clear()  # before the look: an end that comes after it is not missed
            try:
                job_id, line = _look(runtime, batch_id)
            except DatabaseUnavailable:
                line = None
                logger.warning("look_postponed", exc_info=True)
            if line is not None:
                return line
            left_seconds = give_up_at - time.monotonic()
            if left_seconds <= 0 or is_given_up() or runtime.stopping.is_set():
                break
            has_ended.wait(min(pause_seconds, left_seconds))
    raise AnswerPending(batch_id, job_id)


def _look(runtime: Runtime, batch_id: UUID) -> tuple[UUID, FileLine | None]:
    """The job of a batch, and what it has to show if it has ended."""
    with runtime.database.reading() as connection:
        found = lines.lines(connection, batch_id, tuple(JobState), [0])
    if not found:
        raise NotFound("batch", show("batch", batch_id))
    (job,) = found
    return job.id, None if job.state in OPEN_JOB_STATES else resultfiles.line_of(job)


def _pauses() -> Iterator[float]:
    seconds = _FIRST_PAUSE_SECONDS
    while True:
        yield seconds
        seconds = min(seconds * _GROWTH, _LONGEST_PAUSE_SECONDS)
