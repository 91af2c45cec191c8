"""Responses: a provider's answer to the submit itself is kept and applied as a callback's body would be."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from app.db import Connection
from app.providers.base import Answered, Reading, Unknown, Unreadable
from app.runtime import Runtime
from app.services import inbox
from app.services.claims import Sent
from app.services.inbox import Kept
from app.services.received import Received, callback_row, detail_of, read
from app.states import Case, Outcome
from app.store import callbacks
from app.tokens import CallbackSubject
from app.transitions import Moment


def answers(runtime: Runtime, sent: Sequence[Sent]) -> Sequence[tuple[UUID, Received]]:
    """The answers among what was said to these submits, each with its job."""
    return [
        (one.claim.job_id, _received(runtime, one, one.outcome)) for one in sent if isinstance(one.outcome, Answered)
    ]


def keep(
    connection: Connection, answered: Sequence[tuple[UUID, Received]], cases: Mapping[UUID, Case], moment: Moment
) -> Mapping[UUID, Kept]:
    """Apply the answers to the jobs that are open, which are locked; what is for others is left to `follow_up`."""
    current = [(job_id, received) for job_id, received in answered if job_id in cases and cases[job_id].job.is_open]
    locked = {job_id: cases[job_id] for job_id, _ in current}
    return inbox.apply(connection, [received for _, received in current], locked, moment)


def keep_unreadable(connection: Connection, runtime: Runtime, sent: Sequence[Sent]) -> None:
    """Keep what came instead of an answer: it was paid, and somebody may be able to read it one day."""
    rows = [
        callback_row(received, job_id, Outcome.INVALID, detail_of(received))
        for job_id, received in ((one.claim.job_id, _unreadable(runtime, one)) for one in sent)
        if received is not None
    ]
    if rows:
        callbacks.add(connection, rows)()


def follow_up(runtime: Runtime, answered: Sequence[tuple[UUID, Received]], kept: Mapping[UUID, Kept]) -> None:
    """After the commit: what was left goes through the inbox, which locks its batches first; then as it does.

    Raises:
        DatabaseUnavailable: an answer for a job that is over could not be kept.
    """
    inbox.follow_up(runtime, list(kept.values()))
    for late in [inbox.keep(runtime, received) for _, received in answered if received.id not in kept]:
        late.result()


def _received(runtime: Runtime, one: Sent, answer: Answered) -> Received:
    received = _read(runtime, one, answer.body, answer.reading)
    return replace(received, sent_at=one.sent_at, http_status=answer.http_status)


def _unreadable(runtime: Runtime, one: Sent) -> Received | None:
    if not isinstance(one.outcome, Unknown) or one.outcome.body is None:
        return None
    return _read(runtime, one, one.outcome.body, Unreadable(one.outcome.message))


def _read(runtime: Runtime, one: Sent, body: bytes, reading: Reading) -> Received:
    subject = CallbackSubject(one.claim.batch_id, one.claim.attempt_id)
    return read(runtime, subject, one.claim.provider, body, source="response", reading=reading)
