"""What tests say of webhooks in one line: an endpoint, what is in the outbox, what was delivered."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from app.models import webhook_deliveries, webhook_events
from app.runtime import Runtime
from app.services import deliveries, endpoints, resending
from app.services.webhookviews import DeliveryDetail, EndpointView
from app.states import END_EVENTS, EventType

URL = "https://hooks.example.org/in"


def register(runtime: Runtime, url: str = URL, *types: EventType, owner: str = "alice") -> UUID:
    """An endpoint that is told of these, of the ends of batches if none are named; its id."""
    return endpoints.create(runtime, owner, url, types or END_EVENTS).endpoint.id


def outbox(runtime: Runtime, batch_id: UUID | None = None) -> list[str]:
    """The types of the events of one batch, or of all, in order."""
    query = select(webhook_events.c.type).order_by(webhook_events.c.created_at, webhook_events.c.id)
    if batch_id is not None:
        query = query.where(webhook_events.c.batch_id == batch_id)
    with runtime.database.reading() as connection:
        return [str(type_) for type_ in connection.execute(query).scalars()]


def on_their_way(runtime: Runtime) -> Sequence[Row[Any]]:
    """All deliveries, oldest first."""
    with runtime.database.reading() as connection:
        return connection.execute(select(webhook_deliveries).order_by(webhook_deliveries.c.id)).all()


def send_due(runtime: Runtime) -> int:
    """Send what is due now."""
    return deliveries.deliver(runtime)


def only_delivery(runtime: Runtime, owner: str = "alice") -> DeliveryDetail:
    """The one delivery that there is, with its tries."""
    (row,) = on_their_way(runtime)
    return resending.get(runtime, owner, row.id)


def endpoint(runtime: Runtime, endpoint_id: UUID, owner: str = "alice") -> EndpointView:
    """An endpoint as its owner sees it."""
    return endpoints.get(runtime, owner, endpoint_id)
