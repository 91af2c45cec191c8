"""A job's life as one list of entries: stored, submitted, accepted, called back, ended."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.services.views import AttemptView, CallbackView, JobDetail, JobView


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened. `state` names its sign; `gap_seconds` since the entry before, None for the first."""

    at: datetime
    state: str
    title: str
    note: str | None = None
    gap_seconds: float | None = None


def timeline(detail: JobDetail) -> tuple[Entry, ...]:
    """Everything that is known to have happened to a job, in order; at one instant, causes before effects."""
    entries = [Entry(detail.job.created_at, "queued", "Job stored")]
    for attempt in detail.attempts:
        entries.extend(_of_submit(attempt))
    numbers: dict[UUID | None, int] = {attempt.id: attempt.number for attempt in detail.attempts}
    entries.extend(_of_callback(callback, numbers.get(callback.attempt_id)) for callback in detail.callbacks)
    for attempt in detail.attempts:
        entries.extend(_of_end(attempt, f"Attempt {attempt.number}"))
    entries.extend(_of_end(detail.job, "Job"))
    return with_gaps(sorted(entries, key=lambda entry: entry.at))


def _of_submit(attempt: AttemptView) -> Iterator[Entry]:
    name = f"Attempt {attempt.number}"
    yield Entry(attempt.created_at, "submitting", f"{name} claimed", f"for {attempt.provider}")
    if attempt.sent_at:
        yield Entry(attempt.sent_at, "submitting", f"{name} sent")
    if attempt.acked_at:
        task = f"task {attempt.provider_task_id}" if attempt.provider_task_id else None
        yield Entry(attempt.acked_at, "waiting", f"{name} accepted", task)


def _of_callback(callback: CallbackView, number: int | None) -> Entry:
    whose = f" for attempt {number}" if number else ""
    notes = [f"{callback.bytes:,} bytes"]
    if callback.times > 1:
        notes.append(f"came {callback.times} times")
    if callback.detail:
        notes.append(callback.detail)
    return Entry(callback.received_at, callback.outcome, f"Callback{whose} {callback.outcome}", ", ".join(notes))


def _of_end(ended: AttemptView | JobView, name: str) -> Iterator[Entry]:
    if ended.finished_at:
        yield Entry(ended.finished_at, ended.state, f"{name} {ended.state}", _reason(ended))


def _reason(ended: AttemptView | JobView) -> str | None:
    parts = [part for part in (ended.error_code, ended.error_message) if part]
    return ": ".join(parts) or None


def with_gaps(entries: list[Entry]) -> tuple[Entry, ...]:
    before = [None, *(entry.at for entry in entries)]
    return tuple(
        Entry(e.at, e.state, e.title, e.note, (e.at - earlier).total_seconds() if earlier else None)
        for e, earlier in zip(entries, before, strict=False)
    )
