"""Calls: a batch of one job, whose maker waits for the answer, or hears it while it is written."""

import logging
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from uuid import UUID

from app.errors import DatabaseUnavailable, NotFound
from app.ids import show
from app.runtime import Runtime
from app.services import claims, creation, resultfiles
from app.services.passages import Chunk, passage
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


@dataclass(frozen=True, slots=True)
class Call:
    """What is waited for. `streamed_by`: the provider whose answer is to be handed on while it is written, if any."""

    batch_id: UUID
    streamed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """The answer to a job, while it is written: take all of the `rest`, or close it."""

    job_id: UUID
    first: Chunk
    rest: Generator[Chunk]


def make(
    runtime: Runtime, owner: str, key: str | None, request_sha256: str, read: Callable[[], NewJob], *, streams: bool
) -> Call:
    """The batch of the job that `read` finds, or that this very request made before.

    With `streams` its answer is handed on while it is written, if its provider can do that; not to who asks again.

    Raises:
        InvalidInput: nothing was stored.
        Conflict: the idempotency key was used for another request.
    """
    seen = None if key is None else creation.find_replay(runtime, owner, key, request_sha256)
    if seen is not None:
        return Call(seen)
    job = read()
    streamed_by = _streaming_provider(runtime, job) if streams else None
    new = NewBatch(
        owner=owner,
        name=NAME,
        expires_in_seconds=LIFETIME_SECONDS,
        idempotency_key=key,
        request_sha256=request_sha256,
        # Who is to hear the answer has to be the one who submits the job: no worker takes it before.
        head_start_seconds=claims.HEAD_START.total_seconds() if streamed_by else 0.0,
    )
    created = creation.create(runtime, new, [job])
    return Call(created.batch.id, None if created.is_replay else streamed_by)


def wait(runtime: Runtime, call: Call, is_given_up: Callable[[], bool]) -> FileLine | Stream:
    """The job of a call once it has ended, or its answer as it comes.

    It is told at once of an end in this process, and looks for one elsewhere, more and more seldom; no connection is
    held meanwhile. While the database is away it goes on waiting: the job may be paid for by now.

    Raises:
        AnswerPending: the time is over, nobody waits any more, or the process ends; the job goes on.
        NotFound: the batch was removed meanwhile.
    """
    give_up_at = time.monotonic() + runtime.settings.call_timeout_seconds
    batch_id, job_id = call.batch_id, None
    with runtime.endings.of(batch_id) as has_ended:
        for pause_seconds in _pauses():
            has_ended.clear()  # before the look: an end that comes after it is not missed
            found: FileLine | Stream | None = None
            has_to_go = give_up_at <= time.monotonic() or is_given_up() or runtime.stopping.is_set()
            try:
                job_id, found = look(runtime, batch_id)
                if found is None and call.streamed_by is not None and not has_to_go:
                    found = _stream(runtime, call.streamed_by, job_id)
            except DatabaseUnavailable:
                logger.warning("look_postponed", exc_info=True)
            if found is not None:
                return found
            left_seconds = give_up_at - time.monotonic()
            if has_to_go or left_seconds <= 0:
                break
            has_ended.wait(min(pause_seconds, left_seconds))
    raise AnswerPending(batch_id, job_id)


def _streaming_provider(runtime: Runtime, job: NewJob) -> str | None:
    """Who answers in the submit, and so can be heard; None for one that calls back, or that this process can't ask."""
    settings = runtime.settings
    provider = settings.provider_of(str(job.options["model"]))
    if provider is None or provider.calls_back or settings.refusal_to_submit(provider.name) is not None:
        return None
    return provider.name


def _stream(runtime: Runtime, provider: str, job_id: UUID) -> Stream | None:
    """The answer from its first words on; None if it can't be asked for now, or there were none."""
    rest = passage(runtime, provider, job_id)
    first = next(rest, None)
    return None if first is None else Stream(job_id, first, rest)


def look(runtime: Runtime, batch_id: UUID) -> tuple[UUID, FileLine | None]:
    """The job of a batch, and what it has to show if it has ended.

    Raises:
        NotFound: the batch was removed.
    """
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
