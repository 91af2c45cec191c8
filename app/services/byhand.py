"""By hand: an operator ends a job, with an answer or without one."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from app.db import Connection
from app.errors import Conflict, InvalidInput, Problem
from app.ids import new_id, show
from app.runtime import Runtime
from app.services import audit, finalizing
from app.services.audit import By
from app.services.moves import move_cases
from app.services.status import lock_job
from app.states import Outcome
from app.store import callbacks, results
from app.transitions import AnsweredByHand, MarkedFailed, Moment

OPERATOR = "operator"
"""Where such an answer comes from; in the place of a provider too, as none has spoken."""

MAX_REASON_CHARS = 500


def mark_failed(runtime: Runtime, job_id: UUID, by: By) -> None:
    """m: give an open job up, in the words of `by`, which its owner reads. An answer that still comes completes it.

    Raises:
        InvalidInput: there is no reason.
        NotFound: no such job.
        Conflict: it is over.
    """
    reason = _reason(by)
    moment = runtime.moment()
    with runtime.database.transaction() as connection:
        batch, case = lock_job(connection, job_id)
        moved = move_cases(connection, {job_id: case}, [(job_id, MarkedFailed(reason))], moment)
        if moved.outcomes != (Outcome.APPLIED,):
            raise Conflict("It is over.")
        audit.add(connection, moment.now, by, "job.fail", show("job", job_id))
    _follow_up(runtime, batch.id, case.job.provider)


def complete(runtime: Runtime, job_id: UUID, text: str, by: By) -> None:
    """m: complete a job with this text; its source is `operator`, and it is kept in the inbox as any answer is.

    It is no attempt's: nothing is added to what the job has cost, and what is billed for its attempts was in vain.

    Raises:
        InvalidInput: there is no reason, or the text is empty, too long, or has a character that can't be kept.
        NotFound: no such job.
        Conflict: it is completed; its answer is never replaced.
    """
    _reason(by)
    body = _body(text, runtime.settings.max_callback_bytes)
    moment = runtime.moment()
    with runtime.database.transaction() as connection:
        batch, case = lock_job(connection, job_id)
        moved = move_cases(connection, {job_id: case}, [(job_id, AnsweredByHand())], moment)
        if moved.outcomes != (Outcome.APPLIED,):
            raise Conflict("The job is completed; its answer is never replaced.")
        _keep(connection, batch.id, job_id, body, moment)
        audit.add(connection, moment.now, by, "job.complete", show("job", job_id), bytes=len(body))
    _follow_up(runtime, batch.id, case.job.provider)


def _reason(by: By) -> str:
    if by.reason is None:
        raise InvalidInput([Problem("Say why.", "/reason")])
    return by.reason[:MAX_REASON_CHARS]


def _body(text: str, limit: int) -> bytes:
    body = text.encode(errors="replace")
    if not text.strip():
        raise InvalidInput([Problem("An answer has some text.", "/text")])
    if "\x00" in text:
        raise InvalidInput([Problem("The character U+0000 can't be kept.", "/text")])
    if len(body) > limit:
        raise InvalidInput(
            [Problem(f"An answer takes at most {limit:,} bytes.", "/text", limit=limit, value=len(body))]
        )
    return body


@dataclass(frozen=True, slots=True)
class _Written:
    """A body as results name it. There is no attempt, so its own id stands for one."""

    id: UUID
    attempt_id: UUID
    source: str
    sha256: str


def _keep(connection: Connection, batch_id: UUID, job_id: UUID, body: bytes, moment: Moment) -> None:
    id_, sha256 = new_id(), hashlib.sha256(body).hexdigest()
    row = {
        "id": id_,
        "attempt_id": None,
        "job_id": job_id,
        "batch_id": batch_id,
        "provider": OPERATOR,
        "source": OPERATOR,
        "received_at": moment.now,
        "last_received_at": moment.now,
        "body": body,
        "sha256": sha256,
        "times": 1,
        "outcome": Outcome.APPLIED,
        "detail": None,
    }
    callbacks.add(connection, [row])()
    written = _Written(id_, id_, OPERATOR, sha256)
    answer = results.row(job_id=job_id, body=written, text=body.decode(), details={}, created_at=moment.now)
    results.add(connection, [answer])


def _follow_up(runtime: Runtime, batch_id: UUID, provider: str) -> None:
    """The batch may have ended, and room in flight may have come free."""
    finalizing.finalize(runtime, [batch_id])
    runtime.doorbell.ring(provider)
