"""Creation: a batch is stored whole or not at all, and once a request."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Any
from uuid import UUID

from app.errors import Conflict, InvalidInput, Problem
from app.ids import new_id, show
from app.runtime import Runtime
from app.services import announcements, endpoints, finalizing, newrows, status
from app.services.choosing import Choice
from app.services.shown import batch_view
from app.services.spool import JobSpool
from app.services.views import BadLine, Checked, Created, NewBatch, NewJob
from app.states import JobState
from app.store import batches, figures

logger = logging.getLogger(__name__)


def find_replay(runtime: Runtime, owner: str, idempotency_key: str, request_sha256: str) -> UUID | None:
    """The batch that this very request made before; None if the key is new.

    Raises:
        Conflict: the owner used the key for another request.
    """
    with runtime.database.reading() as connection:
        batch = batches.by_idempotency_key(connection, owner, idempotency_key)
    return _replayed(batch, request_sha256)


def create(runtime: Runtime, new: NewBatch, lines: Iterable[NewJob | BadLine]) -> Created:
    """a: store a batch with its jobs in one transaction, then ring once.

    `lines` are consumed once and never held whole in memory. Bad ones, among them repeated `custom_id`s, refuse the
    batch, or are left out and reported with it if it says `skip_invalid`. A job with a fault is stored as failed.

    Raises:
        InvalidInput: nothing was stored; the first 100 problems, and how many there are.
        Conflict: the idempotency key belongs to another request.
    """
    choice = Choice(runtime.settings, new.provider, new.options, fallback=new.fallback_provider)
    if new.webhook_url is not None:
        endpoints.check(runtime, new.webhook_url, "/webhook_url")
    with JobSpool() as spool:
        problems = _Problems(new.problems_kept)
        _validate(lines, runtime.settings.max_jobs, choice, spool, problems)
        if problems.total and not new.skip_invalid:
            raise InvalidInput(problems.first, problems.total)
        if not spool.total:
            nothing = Problem("There is no job in it.", "/jobs", code="empty_file")
            raise InvalidInput([*problems.first, nothing], problems.total + 1)
        if choice.provider.name == new.fallback_provider:
            words = "A batch falls back on another provider than its own."
            raise InvalidInput([Problem(words, "/fallback_provider", value=new.fallback_provider)])
        return _store(runtime, replace(new, provider=choice.provider.name), spool, problems)


def check(runtime: Runtime, new: NewBatch, lines: Iterable[NewJob | BadLine], shown: int) -> Checked:
    """What `create` would make of these lines, with the first `shown` jobs; nothing is stored.

    Raises:
        InvalidInput: there is no such provider, or too many jobs.
    """
    choice = Choice(runtime.settings, new.provider, new.options, fallback=new.fallback_provider)
    with JobSpool() as spool:
        problems = _Problems(new.problems_kept)
        _validate(lines, runtime.settings.max_jobs, choice, spool, problems)
        first = tuple(job for _, job in islice(chain.from_iterable(spool.chunks()), shown))
        return Checked(choice.provider.name, spool.total, first, tuple(problems.first), problems.total)


def refuse(runtime: Runtime, new: NewBatch, error: InvalidInput) -> Created:
    """Store a batch that has failed before it began, without a job, with what is wrong with its input.

    Raises:
        Conflict: the idempotency key belongs to another request.
    """
    now = runtime.moment().now
    problems = _Problems(new.problems_kept, error.problems, error.total)
    new = replace(new, provider=new.provider or runtime.settings.default_provider)
    row = _row(runtime, new, 0, now, problems) | {"finalized_at": now}
    with runtime.database.transaction() as connection:
        stored = batches.add(connection, row)
        if stored is not None:
            announcements.ended(runtime, connection, [stored], now)
    if stored is None:
        return _winner(runtime, new)
    logger.info("batch_refused", extra={"batch_id": show("batch", stored.id), "problems": error.total})
    return Created(batch_view(stored, figures.NONE_YET, held=()), is_replay=False)


class _Problems:
    """The first problems of a batch and the number of all."""

    def __init__(self, kept: int, first: Sequence[Problem] = (), total: int = 0) -> None:
        self._kept = kept
        self.first = list(first[:kept])
        self.total = total

    def add(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self.total += 1
            if len(self.first) < self._kept:
                self.first.append(problem)

    def columns(self) -> dict[str, object]:
        """As a batch keeps them."""
        return {"line_errors": {"total": self.total, "first": [newrows.of_problem(each) for each in self.first]}}


def _validate(
    lines: Iterable[NewJob | BadLine], limit: int, choice: Choice, spool: JobSpool, problems: _Problems
) -> None:
    """What only the whole batch shows: repeated ids, more than `limit` jobs, and what its provider can't do."""
    seen: set[str] = set()
    for position, line in enumerate(lines):
        if position >= limit:
            words = "There are too many jobs for one batch."
            raise InvalidInput([Problem(words, "/jobs", limit=limit, value="more", code="too_many_tasks")])
        if isinstance(line, BadLine):
            problems.add(line.problems)
        elif line.custom_id in seen:
            words, pointer = "Another job of the batch has this custom_id.", f"{line.pointer}/custom_id"
            problems.add([Problem(words, pointer, line.line, None, line.custom_id, "duplicate_custom_id")])
        elif unfit := tuple(choice.problems_of(line)):
            problems.add(unfit)
        else:
            seen.add(line.custom_id)
            spool.add(position, line)


def _store(runtime: Runtime, new: NewBatch, spool: JobSpool, problems: _Problems) -> Created:
    now = runtime.moment().now
    due_at = now + timedelta(seconds=new.head_start_seconds)
    row = _row(runtime, new, spool.total, now, problems) | {"models": spool.models}
    batch_id: UUID = row["id"]
    counted: figures.Figures = {JobState.QUEUED: spool.total - spool.faults, JobState.FAILED: spool.faults}
    has_work = spool.faults < spool.total
    with runtime.database.transaction() as connection:
        stored = batches.add(connection, row)
        if stored is not None:
            for chunk in spool.chunks():
                newrows.add_jobs(connection, row, chunk, now, due_at)
            figures.add(connection, {batch_id: counted}, is_folded=has_work)  # without work, it is to be finalized
    if stored is None:
        return _winner(runtime, new)
    logger.info("batch_created", extra={"batch_id": show("batch", batch_id), "jobs": spool.total})
    if not has_work:
        finalizing.finalize(runtime, [batch_id])
        return Created(status.batch(runtime, new.owner, batch_id), is_replay=False)
    runtime.doorbell.ring(str(new.provider))
    return Created(batch_view(stored, {**figures.NONE_YET, **counted}, held=()), is_replay=False)


def _row(runtime: Runtime, new: NewBatch, total: int, now: datetime, problems: _Problems) -> dict[str, Any]:
    row = newrows.of_batch(runtime, new, new_id(), total, now) | problems.columns()
    if new.webhook_url is not None:
        row["webhook_endpoint_id"] = endpoints.named(runtime, new.owner, new.webhook_url)
    return row


def _winner(runtime: Runtime, new: NewBatch) -> Created:
    """The batch of the request that came first with this key."""
    existing = find_replay(runtime, new.owner, str(new.idempotency_key), str(new.request_sha256))
    if existing is None:
        raise Conflict("The batch of this Idempotency-Key was removed just now; try again.")
    return Created(status.batch(runtime, new.owner, existing), is_replay=True)


def _replayed(batch: Any, request_sha256: str) -> UUID | None:
    if batch is None:
        return None
    if batch.request_sha256 != request_sha256:
        raise Conflict("This Idempotency-Key was used for another request.")
    batch_id: UUID = batch.id
    return batch_id
