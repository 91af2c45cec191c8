"""Announcements: what happens to a batch is written to the outbox where it happens, for each who wants to hear it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.db import Connection
from app.ids import new_id
from app.runtime import Runtime
from app.services import shown
from app.states import END_EVENTS, JobState
from app.states import EventType as Type
from app.store import batches, deliveries, endpoints, events
from app.store.figures import Folded

_OVER = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)
_PERCENTS = (75, 50, 25)
_CATCH_UP = timedelta(days=7)
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class _Event:
    """Something that happened to a batch. Two of a type in one round have different occasions, or are the same."""

    type: Type
    batch: Any
    occasion: str = ""
    data: Mapping[str, object] = field(default_factory=dict)


def ended(runtime: Runtime, connection: Connection, rows: Iterable[Any], now: datetime) -> None:
    """In the transaction that ends these batches: tell of their ends."""
    _write(runtime, connection, [_end(row, now) for row in rows], now)


def settled(
    runtime: Runtime,
    connection: Connection,
    locked: Mapping[UUID, Any],
    folded: Mapping[UUID, Folded],
    have_ended: frozenset[UUID],
) -> None:
    """In the transaction that folds the figures of these locked batches, and ends some: tell of what that shows.

    They are given as they were before they ended. All in one place, so that no way in which a job ends is left out.
    """
    now = runtime.moment().now
    found = [event for id_, batch in locked.items() for event in _seen(batch, folded[id_], id_ in have_ended, now)]
    _write(runtime, connection, found, now)


def catch_up(runtime: Runtime) -> None:
    """Tell of ends that a version from before webhooks brought about, during an update."""
    now, number = runtime.moment().now, _AT_ONCE
    while number == _AT_ONCE:
        with runtime.database.reading() as connection:
            untold = events.untold(connection, now - _CATCH_UP, _AT_ONCE)
        number = len(untold)
        if untold:
            with runtime.database.transaction() as connection:
                locked = batches.lock(connection, untold).values()
                ended(runtime, connection, [batch for batch in locked if batch.finalized_at is not None], now)


def paused(runtime: Runtime, connection: Connection, batch: Any, reason: str, message: str, now: datetime) -> None:
    """In the transaction that places a hold on a batch."""
    occasion = f"{reason} {now.isoformat()}"
    _write(runtime, connection, [_Event(Type.PAUSED, batch, occasion, {"reason": reason, "message": message})], now)


def _end(batch: Any, now: datetime) -> _Event:
    return _Event(Type(f"batch.{shown.end_of(batch, batch.finalized_at or now)}"), batch)


def _seen(batch: Any, folded: Folded, has_ended: bool, now: datetime) -> Iterator[_Event]:
    if batch.finalized_at is not None:
        # Of a batch that had ended, only a job that was given up can have moved: an answer came after all.
        if folded.new[JobState.FAILED] < 0 or folded.new[JobState.CANCELLED] < 0:
            yield _Event(Type.REVISED, batch, now.isoformat())
        return
    if folded.all[JobState.FAILED]:
        yield _Event(Type.FIRST_FAILURE, batch)
    if has_ended:
        yield _end(batch, now)
        return
    over = sum(folded.all[state] for state in _OVER)
    reached = next((percent for percent in _PERCENTS if over * 100 >= percent * batch.total), None)
    if reached is not None:
        yield _Event(Type.PROGRESS, batch, str(reached), {"percent": reached})


def _write(runtime: Runtime, connection: Connection, found: Sequence[_Event], now: datetime) -> None:
    """The ends are kept whoever listens, so that they can be asked for later; the rest only if somebody does."""
    if not found:
        return
    told = [event.batch for event in found]
    listening = endpoints.listening(
        connection, (each.owner for each in told), (each.webhook_endpoint_id for each in told)
    )
    written = 0
    for event in found:
        to = [endpoint for endpoint in listening if _is_for(endpoint, event)]
        if to or event.type in END_EVENTS:
            event_id = new_id()
            if events.add(connection, _row(event_id, event, now)):
                written += deliveries.add(connection, [of_event(event_id, endpoint, now) for endpoint in to])
    if written:
        runtime.sweeping_due.set()  # of this process; another's finds it by itself


def _is_for(endpoint: Any, event: _Event) -> bool:
    if endpoint.owner != event.batch.owner or event.type not in endpoint.event_types:
        return False
    return not endpoint.of_named_batches or endpoint.id == event.batch.webhook_endpoint_id


def _row(event_id: UUID, event: _Event, now: datetime) -> dict[str, object]:
    return {
        "id": event_id,
        "owner": event.batch.owner,
        "type": event.type,
        "batch_id": event.batch.id,
        "round": event.batch.round,
        "occasion": event.occasion,
        "data": dict(event.data),
        "created_at": now,
    }


def of_event(event_id: UUID, endpoint: Any, now: datetime) -> dict[str, Any]:
    """The row of a new delivery."""
    due_at = now if endpoint.not_before is None else max(now, endpoint.not_before)
    row: dict[str, Any] = {"id": new_id(), "event_id": event_id, "endpoint_id": endpoint.id, "state": "pending"}
    return row | {"due_at": due_at, "tries": 0, "step": 0, "created_at": now}
