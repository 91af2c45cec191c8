"""The outbox: what submitters are to be told of their batches."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, delete, exists, select, update

from app.models import batches, literally, webhook_deliveries, webhook_events, webhook_tries
from app.states import END_EVENTS, DeliveryState
from app.store import dialects


def add(connection: Connection, row: Mapping[str, Any]) -> bool:
    """A new event; False: it was told before."""
    statement = dialects.insert(connection, webhook_events).values(dict(row)).on_conflict_do_nothing()
    return connection.execute(statement.returning(webhook_events.c.id)).first() is not None


def missing(connection: Connection, endpoint: Row[Any], since: datetime, limit: int) -> Sequence[UUID]:
    """Up to `limit` events of its types since then that are not on their way to this endpoint, and never were."""
    has_delivery = exists().where(
        webhook_deliveries.c.event_id == webhook_events.c.id, webhook_deliveries.c.endpoint_id == endpoint.id
    )
    query = select(webhook_events.c.id).where(
        webhook_events.c.owner == endpoint.owner,
        webhook_events.c.created_at >= since,
        webhook_events.c.batch_id.is_not(None),
        webhook_events.c.type.in_(endpoint.event_types),
        ~has_delivery,
    )
    if endpoint.of_named_batches:
        names_it = exists().where(
            batches.c.id == webhook_events.c.batch_id, batches.c.webhook_endpoint_id == endpoint.id
        )
        query = query.where(names_it)
    ordered = query.order_by(webhook_events.c.created_at, webhook_events.c.id).limit(limit)
    # Not those that are being removed with their batch.
    kept = ordered.with_for_update(read=True, key_share=True, skip_locked=True)
    return connection.execute(kept).scalars().all()


def untold(connection: Connection, since: datetime, limit: int) -> Sequence[UUID]:
    """Up to `limit` batches that have ended since then, and their end is not in here."""
    is_told = exists().where(
        webhook_events.c.batch_id == batches.c.id,
        webhook_events.c.round == batches.c.round,
        webhook_events.c.type.in_(END_EVENTS),
    )
    query = select(batches.c.id).where(batches.c.finalized_at >= since, batches.c.removed_at.is_(None), ~is_told)
    return connection.execute(query.order_by(batches.c.finalized_at).limit(limit)).scalars().all()


def forget_of_batch(connection: Connection, batch_id: UUID, now: datetime) -> None:
    """Its batch is gone: nothing is kept of it, what is still on its way until that is over."""
    of_batch = webhook_events.c.batch_id == batch_id
    connection.execute(update(webhook_events).where(of_batch).values(forget_at=now))
    over = select(webhook_events.c.id).where(of_batch, ~_is_on_its_way())
    remove(connection, connection.execute(over).scalars().all())


def forgettable(connection: Connection, now: datetime, limit: int) -> Sequence[UUID]:
    """Up to `limit` events that need not be kept, and are on their way to nobody."""
    query = select(webhook_events.c.id).where(webhook_events.c.forget_at <= now, ~_is_on_its_way())
    return connection.execute(query.order_by(webhook_events.c.forget_at).limit(limit)).scalars().all()


def _is_on_its_way() -> ColumnElement[bool]:
    return exists().where(
        webhook_deliveries.c.event_id == webhook_events.c.id,
        webhook_deliveries.c.state == literally(DeliveryState.PENDING),
    )


def remove(connection: Connection, event_ids: Sequence[UUID]) -> None:
    """Delete events with all that was kept of their deliveries."""
    connection.execute(select(webhook_events.c.id).where(webhook_events.c.id.in_(event_ids)).with_for_update()).all()
    of_events = select(webhook_deliveries.c.id).where(webhook_deliveries.c.event_id.in_(event_ids))
    connection.execute(delete(webhook_tries).where(webhook_tries.c.delivery_id.in_(of_events)))
    connection.execute(delete(webhook_deliveries).where(webhook_deliveries.c.event_id.in_(event_ids)))
    connection.execute(delete(webhook_events).where(webhook_events.c.id.in_(event_ids)))
