"""Delivering: what is due is sent, what became of it is written down, and an endpoint that fails for days is left."""

import json
import logging
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from app.db import Connection
from app.ids import show
from app.outbound import schedule
from app.outbound.signatures import sign
from app.outbound.webhooks import Message, Reply
from app.providers.outcomes import one_line, retry_after_seconds
from app.runtime import Runtime
from app.services import endpointchanges
from app.states import DeliveryState
from app.store import deliveries, endpoints, events

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
"""As long as a try is waited for: four times what it may take. Then it is made again, as its worker may have died."""

_GONE = 410
_FORGOTTEN_AT_ONCE = 100


def deliver(runtime: Runtime) -> int:
    """Send what is due, one after the other, until nothing is; how many that were.

    Several of these may run at once, in one process or in many: each takes what no other has.

    Raises:
        DatabaseUnavailable: what was sent last is sent again later.
    """
    sent = 0
    while not (runtime.stopping.is_set() or runtime.clock_is_off.is_set()):
        taken = runtime.crowds.take(lambda crowded: _claim(runtime, crowded), lambda row: row.endpoint_id)
        if taken is None:
            break
        try:
            attempt(runtime, taken)
        finally:
            runtime.crowds.leave(taken.endpoint_id)
        sent += 1
    return sent


def attempt(runtime: Runtime, taken: Any) -> Reply:
    """Make the try of a delivery that was begun, and write down what became of it."""
    if taken.disabled_at is not None and taken.batch_id is not None:
        reply = Reply(None, "The endpoint is disabled.", "")
    elif taken.removed_at is not None:
        reply = Reply(None, "The endpoint was removed.", "")
    else:
        reply = runtime.webhook_sender.send(message(taken, runtime.moment().now))
    _record(runtime, taken, reply)
    return reply


def message(row: Any, now: datetime) -> Message:
    """What is sent: the event as both Standard Webhooks 1.0 and OpenAI's SDKs read it, signed for this moment."""
    event_id, at = show("evt", row.event_id), int(now.timestamp())
    # The batch of a test is one that nobody has.
    content = {
        "id": event_id,
        "object": "event",
        "type": row.type,
        "created_at": int(row.happened_at.timestamp()),
        "timestamp": row.happened_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": {"id": show("batch", row.batch_id or row.event_id), **row.data},
    }
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Hivebatch",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "webhook-id": event_id,
        "webhook-timestamp": str(at),
        "webhook-signature": sign(_keys(row, now), event_id, at, body),
    }
    return Message(row.url, headers, body)


def forget(runtime: Runtime) -> bool:
    """A step of the sweep: remove what was told of batches that are gone; whether there is more."""
    now = runtime.moment().now
    with runtime.database.reading() as connection:
        old = events.forgettable(connection, now, _FORGOTTEN_AT_ONCE)
    if old:
        with runtime.database.transaction() as connection:
            events.remove(connection, old)
    return len(old) == _FORGOTTEN_AT_ONCE


def due(runtime: Runtime, connection: Connection) -> tuple[int, datetime | None]:
    """How many deliveries are due, as far as it matters, and when the next of the others is."""
    return deliveries.due(connection, runtime.moment().now, runtime.settings.couriers)


def _claim(runtime: Runtime, crowded: Collection[UUID]) -> Any:
    now = runtime.moment().now
    with runtime.database.reading() as connection:
        if not deliveries.due(connection, now, 1)[0]:
            return None
    with runtime.database.transaction() as connection:
        return deliveries.claim(connection, now, crowded, now + LEASE)


def _keys(row: Any, now: datetime) -> list[str]:
    has_old = row.old_secret is not None and now < row.old_secret_until
    return [row.secret, row.old_secret] if has_old else [row.secret]


def _record(runtime: Runtime, taken: Any, reply: Reply) -> None:
    """Its endpoint is locked first, as everybody does who writes both."""
    now = runtime.moment().now
    is_delivered = reply.status is not None and 200 <= reply.status < 300
    why = None if is_delivered else one_line(reply.error or f"HTTP {reply.status}")
    state, due_at = _next(taken, now, is_delivered=is_delivered)
    with runtime.database.transaction() as connection:
        endpoint = endpoints.lock(connection, taken.endpoint_id)
        deliveries.end_try(
            connection,
            taken.id,
            taken.tries,
            finished_at=now,
            http_status=reply.status,
            error=why,
            request_head=reply.request_head or None,
            response_head=reply.response_head,
        )
        is_mine = deliveries.end(connection, taken.id, taken.tries, state, due_at, now)
        if is_mine and taken.batch_id is not None and endpoint is not None:
            _judge(connection, endpoint, reply, why, now)
    said = {"delivery_id": show("delivery", taken.id), "webhook_id": show("webhook", taken.endpoint_id)}
    logger.info("webhook_delivered" if is_delivered else "webhook_failed", extra=said | {"status": reply.status})


def _next(taken: Any, now: datetime, *, is_delivered: bool) -> tuple[DeliveryState, datetime | None]:
    """Where the delivery is now, and when it is due again. A test is made once, for who waits for what comes of it."""
    if is_delivered:
        return DeliveryState.DELIVERED, None
    is_over = taken.batch_id is None or taken.disabled_at is not None or taken.removed_at is not None
    due_at = None if is_over else schedule.next_try_at(now, taken.step, taken.id)
    return (DeliveryState.FAILED, None) if due_at is None else (DeliveryState.PENDING, due_at)


def _judge(connection: Connection, endpoint: Any, reply: Reply, why: str | None, now: datetime) -> None:
    """What a try says of its endpoint; `why` it failed, None if it did not."""
    if endpoint.disabled_at is not None or endpoint.removed_at is not None:
        return
    failing_since = endpoint.failing_since or now
    if why is None:
        if endpoint.failing_since is not None:
            endpoints.change(connection, endpoint.id, failing_since=None)
    elif reply.status == _GONE:
        _disable(connection, endpoint, "It answered 410 Gone.", now)
    elif now - failing_since >= schedule.GIVE_UP_AFTER:
        since = f"{failing_since:%Y-%m-%d %H:%M}"
        _disable(connection, endpoint, f"Nothing could be delivered since {since} UTC; the last try: {why}", now)
    else:
        endpoints.change(connection, endpoint.id, failing_since=failing_since)
        _slow_down(connection, endpoint, reply, now)


def _disable(connection: Connection, endpoint: Any, reason: str, now: datetime) -> None:
    endpointchanges.disable(connection, endpoint.id, reason, now)
    logger.warning("webhook_disabled", extra={"webhook_id": show("webhook", endpoint.id), "reason": reason})


def _slow_down(connection: Connection, endpoint: Any, reply: Reply, now: datetime) -> None:
    asked = retry_after_seconds(reply.retry_after, schedule.LONGEST_WAIT.total_seconds())
    until = schedule.not_before(now, reply.status, asked)
    latest = max((each for each in (until, endpoint.not_before) if each is not None), default=now)
    if latest > now:
        endpoints.change(connection, endpoint.id, not_before=latest)
        deliveries.put_off(connection, endpoint.id, latest)
