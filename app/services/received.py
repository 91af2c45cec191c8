"""A body that a provider sent: read before any transaction, and turned into what the store keeps of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from app.ids import new_id
from app.providers.base import Answer, Failure, Reading, Unreadable
from app.runtime import Runtime
from app.states import Outcome
from app.store import results
from app.tokens import CallbackSubject
from app.transitions import Answered, Event, TaskFailed

Source = Literal["callback", "read_back", "response"]


@dataclass(frozen=True, slots=True)
class Received:
    """One body, read, on its way into the inbox. It was parsed before any transaction, so it can't fail its group.

    `sent_at` and `http_status` are those of the submit, where the body is its answer.
    """

    id: UUID
    subject: CallbackSubject
    provider: str
    source: Source
    body: bytes
    sha256: str
    reading: Reading
    received_at: datetime
    last_received_at: datetime
    times: int = 1
    sent_at: datetime | None = None
    http_status: int | None = None

    def again(self, id_: UUID, times: int, received_at: datetime, last_received_at: datetime) -> "Received":
        """The same, as one that was kept before: under that id, so often, first and last then."""
        return replace(self, id=id_, times=times, received_at=received_at, last_received_at=last_received_at)

    @property
    def attempt_id(self) -> UUID:
        return self.subject.attempt_id


def read(
    runtime: Runtime,
    subject: CallbackSubject,
    provider: str,
    body: bytes,
    *,
    source: Source = "callback",
    reading: Reading | None = None,
) -> Received:
    """A body from this provider, parsed unless its `reading` is known."""
    now = runtime.moment().now
    return Received(
        id=new_id(),
        subject=subject,
        provider=provider,
        source=source,
        body=body,
        sha256=hashlib.sha256(body).hexdigest(),
        reading=reading or runtime.providers[provider].read(body),
        received_at=now,
        last_received_at=now,
    )


def of_provider(runtime: Runtime, received: Received, provider: str) -> Received:
    """The same, as coming from the provider of its attempt, of which a token says nothing.

    V2 providers read bodies alike, but each has its own say in which failures are worth a retry.
    """
    if provider == received.provider:
        return received
    told = runtime.providers.get(provider)  # None: it is no longer configured
    is_judged = told is not None and isinstance(received.reading, Failure)
    reading = told.read(received.body) if told and is_judged else received.reading
    return replace(received, provider=provider, reading=reading)


def event_of(received: Received) -> Event | None:
    """What the body means for its job; None if nobody can read it."""
    match received.reading:
        case Answer(origin=origin, cost_nano=cost):
            told = (origin.task_ids, origin.metadata, cost, received.sent_at, received.http_status)
            return Answered(received.attempt_id, *told)
        case Failure(origin=origin) as failure:
            return TaskFailed(
                received.attempt_id,
                failure.code,
                failure.message,
                failure.is_retryable,
                origin.task_ids,
                origin.metadata,
                failure.cost_nano,
                received.sent_at,
                received.http_status,
            )
        case Unreadable():
            return None


def detail_of(received: Received) -> str | None:
    """What is noted beside its outcome."""
    match received.reading:
        case Answer():
            return None
        case Failure(code=code):
            return code
        case Unreadable(reason=reason):
            return reason[:500]


def callback_row(
    received: Received, job_id: UUID | None, outcome: Outcome | None, detail: str | None
) -> dict[str, Any]:
    """Its row in the inbox."""
    return {
        "id": received.id,
        "attempt_id": received.attempt_id,
        "job_id": job_id,
        "batch_id": received.subject.batch_id,
        "provider": received.provider,
        "source": received.source,
        "received_at": received.received_at,
        "last_received_at": received.last_received_at,
        "body": received.body,
        "sha256": received.sha256,
        "times": received.times,
        "outcome": outcome,
        "detail": detail,
    }


def result_rows(received: Received, job_id: UUID) -> list[Mapping[str, Any]]:
    """The answer to keep, if the body holds one."""
    if not isinstance(received.reading, Answer):
        return []
    reading = received.reading
    row = results.row(
        job_id=job_id, body=received, text=reading.text, details=reading.details, created_at=received.last_received_at
    )
    return [row]
