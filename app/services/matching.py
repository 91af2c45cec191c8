"""Matching: an operator says which job an orphan's answer belongs to."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.db import Connection
from app.errors import Conflict, NotFound
from app.ids import new_id, show
from app.providers.base import Answer, Failure, Origin, Unreadable
from app.runtime import Runtime
from app.services import audit, finalizing
from app.services.audit import By
from app.services.moves import move_cases
from app.services.orphans import find
from app.services.status import lock_job
from app.states import Case, Outcome
from app.store import attempts, figures, orphans, results, usage
from app.transitions import Matched


def match(runtime: Runtime, callback_id: UUID, job_id: UUID, *, by: By, despite_metadata: bool = False) -> None:
    """m: complete a job with an orphan's answer; its source is `operator`.

    `despite_metadata`: also if the body says that it is for another job, as after its batch was submitted anew.

    Raises:
        NotFound: no such orphan (any more), or no such job.
        Conflict: no answer can be read in it, it is another job's, or the job is completed.
    """
    orphan = find(runtime, callback_id)
    answer = _answer(runtime, orphan)
    named = answer.origin.metadata
    if named not in (None, show("job", job_id)) and not despite_metadata:
        raise Conflict(f"The body says that it is for '{named[:80]}', another job; it takes saying so to match it.")
    moment = runtime.moment()
    with runtime.database.transaction() as connection:
        batch, case = lock_job(connection, job_id)
        attempt_id = _attempt_of(connection, case, orphan, answer.origin)
        task_id = next(iter(answer.origin.task_ids), None)
        event = Matched(attempt_id, task_id, answer.cost_nano)
        # First: whoever matches it to another job at the same time waits here, and finds it gone.
        times = orphans.adopt(connection, callback_id, job_id, batch.id)
        if times is None:
            raise NotFound("orphan", show("callback", callback_id))
        figures.add(connection, {batch.id: {"repeats": times - 1}})
        moved = move_cases(connection, {job_id: case}, [(job_id, event)], moment)
        if moved.outcomes != (Outcome.APPLIED,):
            raise Conflict("The job is completed; its answer is never replaced.")
        row = results.row(job_id=job_id, body=orphan, text=answer.text, details=answer.details, created_at=moment.now)
        results.add(connection, [{**row, "attempt_id": attempt_id, "source": "operator"}])
        told: Mapping[str, str] = {"job_id": show("job", job_id), "sha256": orphan.sha256}
        figures.add(connection, usage.told([(batch.id, answer.details)]))
        audit.add(connection, moment.now, by, "callback.match", show("callback", callback_id), **told)
    finalizing.finalize(runtime, moved.ended_batches)
    runtime.doorbell.ring(batch.provider)


def _answer(runtime: Runtime, orphan: Any) -> Answer:
    provider = runtime.providers.get(orphan.provider)
    reading = provider.read(bytes(orphan.body)) if provider else Unreadable("its provider is no longer configured")
    match reading:
        case Answer():
            return reading
        case Failure(code=code):
            raise Conflict(f"It holds no answer, but a failure: {code}.")
        case Unreadable(reason=reason):
            raise Conflict(f"No answer can be read in it: {reason}")


def _attempt_of(connection: Connection, case: Case, orphan: Any, origin: Origin) -> UUID:
    """The attempt that the answer is of: by its token, else by its task's id; else one that nobody wrote down."""
    if orphan.attempt_id is not None:
        owner = attempts.owner(connection, orphan.attempt_id)
        if owner not in (None, case.job.id):
            raise Conflict(f"Its token was made for {show('job', owner)}; the sweep will match it.")
        known: UUID = orphan.attempt_id
        return known
    of_task = [each.id for each in case.attempts.values() if each.provider_task_id in origin.task_ids]
    current = case.attempts.get(case.job.current_attempt_id) if case.job.current_attempt_id else None
    if not of_task and current is not None and (current.provider_task_id is None or not origin.task_ids):
        of_task = [current.id]
    return of_task[0] if of_task else new_id()
