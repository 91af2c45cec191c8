"""Deliveries by hand: look at them, send one again or all that failed or are missing, and try an endpoint out."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.db import Connection
from app.errors import Conflict, NotFound
from app.ids import new_id, show
from app.runtime import Runtime
from app.services import announcements, audit, endpoints
from app.services.audit import By, by_owner
from app.services.deliveries import LEASE, attempt
from app.services.status import read_cursor
from app.services.views import Page
from app.services.webhookviews import COUNTED, DeliveryDetail, DeliveryView, Outlook, delivery_view, try_view
from app.states import DeliveryState, EventType
from app.store import deliveries, events

KEEP_TESTS = timedelta(days=7)
_CHUNK = 500


def log(
    runtime: Runtime, owner: str | None, endpoint_id: UUID, state: DeliveryState | None, cursor: str | None, limit: int
) -> Page[DeliveryView]:
    """Up to `limit` deliveries to an endpoint, newest first.

    Raises:
        NotFound: no such endpoint of this owner's.
        InvalidInput: `cursor` is none of ours.
    """
    before = None if cursor is None else read_cursor("delivery", cursor)
    with runtime.database.reading() as connection:
        endpoints.found(connection, owner, endpoint_id)
        rows = deliveries.page(connection, endpoint_id, state, before, limit + 1)
    views = tuple(map(delivery_view, rows[:limit]))
    return Page(views, show("delivery", views[-1].id) if len(rows) > limit else None)


def outlooks(runtime: Runtime, endpoint_ids: Iterable[UUID]) -> Mapping[UUID, Outlook]:
    """What is on its way to each of these endpoints, and what was given up."""
    with runtime.database.reading() as connection:
        found = {each: deliveries.outlook(connection, each, COUNTED) for each in endpoint_ids}
    return {each: Outlook(row.pending, row.failed, row.next_at) for each, row in found.items()}


def get(runtime: Runtime, owner: str | None, delivery_id: UUID) -> DeliveryDetail:
    """One delivery with all of its tries. Raises NotFound: no such delivery of this owner's."""
    with runtime.database.reading() as connection:
        row = _found(connection, owner, delivery_id)
        return DeliveryDetail(delivery_view(row), tuple(map(try_view, deliveries.tries_of(connection, delivery_id))))


def resend(runtime: Runtime, owner: str | None, delivery_id: UUID, by: By | None = None) -> DeliveryView:
    """Send one again, whatever became of it, with all of its tries. `by` None: its owner does.

    Raises:
        NotFound: no such delivery of this owner's.
        Conflict: its endpoint is disabled or gone.
    """
    now = runtime.moment().now
    with runtime.database.transaction() as connection:
        endpoint = _enabled(connection, owner, _found(connection, owner, delivery_id).endpoint_id)
        deliveries.again(connection, [delivery_id], now)
        audit.add(connection, now, by or by_owner(endpoint.owner), "delivery.resend", show("delivery", delivery_id))
        view = delivery_view(_found(connection, owner, delivery_id))
    runtime.sweeping_due.set()
    return view


def resend_failed(runtime: Runtime, owner: str | None, endpoint_id: UUID, since: datetime, by: By | None = None) -> int:
    """Send again what happened since then and was given up; how many that are. `by` None: its owner does.

    Raises:
        NotFound: no such endpoint of this owner's.
        Conflict: it is disabled.
    """

    def chunk(connection: Connection, _endpoint: Any, now: datetime) -> int:
        failed = deliveries.failed_since(connection, endpoint_id, since, _CHUNK)
        deliveries.again(connection, failed, now)
        return len(failed)

    return _in_chunks(runtime, owner, endpoint_id, chunk, by, "webhook.resend_failed")


def resend_missing(
    runtime: Runtime, owner: str | None, endpoint_id: UUID, since: datetime, by: By | None = None
) -> int:
    """Send what happened since then and never was on its way to this endpoint; how many that are.

    `by` None: its owner does.

    Raises:
        NotFound: no such endpoint of this owner's.
        Conflict: it is disabled.
    """

    def chunk(connection: Connection, endpoint: Any, now: datetime) -> int:
        missing = events.missing(connection, endpoint, since, _CHUNK)
        deliveries.add(connection, [announcements.of_event(event_id, endpoint, now) for event_id in missing])
        return len(missing)

    return _in_chunks(runtime, owner, endpoint_id, chunk, by, "webhook.resend_missing")


def test(runtime: Runtime, owner: str | None, endpoint_id: UUID, type_: EventType, by: By | None) -> DeliveryDetail:
    """Send an example now, and wait for what becomes of it; it is not tried again, and says nothing of the endpoint.

    `by` None: its owner does.

    Raises:
        NotFound: no such endpoint of this owner's.
    """
    taken = _example(runtime, owner, endpoint_id, type_, by)
    attempt(runtime, taken)
    return get(runtime, owner, taken.id)


def _example(runtime: Runtime, owner: str | None, endpoint_id: UUID, type_: EventType, by: By | None) -> Any:
    """An event without a batch, whose first try has begun."""
    now, event_id = runtime.moment().now, new_id()
    with runtime.database.transaction() as connection:
        endpoint = endpoints.locked(connection, owner, endpoint_id)
        row = {"id": event_id, "owner": endpoint.owner, "type": type_, "batch_id": None, "round": 0, "occasion": "test"}
        events.add(connection, row | {"data": {"test": True}, "created_at": now, "forget_at": now + KEEP_TESTS})
        delivery = announcements.of_event(event_id, endpoint, now)
        deliveries.add(connection, [delivery])
        audit.add(connection, now, by or by_owner(endpoint.owner), "webhook.test", show("webhook", endpoint_id))
        return deliveries.begin(connection, delivery["id"], now, now + LEASE)


def _in_chunks(runtime: Runtime, owner: str | None, endpoint_id: UUID, chunk: Any, by: By | None, action: str) -> int:
    total, number = 0, _CHUNK
    while number == _CHUNK:
        now = runtime.moment().now
        with runtime.database.transaction() as connection:
            endpoint = _enabled(connection, owner, endpoint_id)
            number = chunk(connection, endpoint, now)
            if number:
                told, who = show("webhook", endpoint_id), by or by_owner(endpoint.owner)
                audit.add(connection, now, who, action, told, deliveries=number)
        total += number
    runtime.sweeping_due.set()
    return total


def _enabled(connection: Connection, owner: str | None, endpoint_id: UUID) -> Any:
    endpoint = endpoints.locked(connection, owner, endpoint_id)
    if endpoint.disabled_at is not None:
        raise Conflict("The endpoint is disabled; enable it first.")
    return endpoint


def _found(connection: Connection, owner: str | None, delivery_id: UUID) -> Any:
    row = deliveries.get(connection, owner, delivery_id)
    if row is None:
        raise NotFound("delivery", show("delivery", delivery_id))
    return row
