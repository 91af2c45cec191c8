"""Deliveries: an event on its way to an endpoint, claimed, tried, and written down."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, and_, func, insert, select, update

from app.models import literally, webhook_deliveries, webhook_endpoints, webhook_events, webhook_tries
from app.states import DeliveryState
from app.store import dialects

deliveries, events, tries = webhook_deliveries, webhook_events, webhook_tries

_IS_PENDING = deliveries.c.state == literally(DeliveryState.PENDING)


def add(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    """Put events on their way; how many were not before."""
    if not rows:
        return 0
    statement = dialects.insert(connection, deliveries).values([dict(row) for row in rows]).on_conflict_do_nothing()
    return len(connection.execute(statement.returning(deliveries.c.id)).all())


def claim(connection: Connection, now: datetime, crowded: Collection[UUID], until: datetime) -> Row[Any] | None:
    """Take the delivery that is due the longest, to none of the `crowded` endpoints, and count a try of it.

    Who takes it has it until then; after that it is due again, as its worker may have died. None: nothing is due.
    """
    due = select(deliveries.c.id).where(_IS_PENDING, deliveries.c.due_at <= now)
    if crowded:
        due = due.where(deliveries.c.endpoint_id.not_in(list(crowded)))
    chosen = due.order_by(deliveries.c.due_at).limit(1).with_for_update(skip_locked=True)
    delivery_id = connection.execute(chosen).scalar_one_or_none()
    return None if delivery_id is None else begin(connection, delivery_id, now, until)


def begin(connection: Connection, delivery_id: UUID, now: datetime, until: datetime) -> Row[Any]:
    """Count a try of a delivery and write it down; the delivery with its event and its endpoint."""
    chosen = update(deliveries).where(deliveries.c.id == delivery_id)
    counted = {"tries": deliveries.c.tries + 1, "step": deliveries.c.step + 1, "due_at": until}
    connection.execute(chosen.values(**counted))
    row = connection.execute(_with_all().where(deliveries.c.id == delivery_id)).one()
    tried = {"delivery_id": delivery_id, "number": row.tries, "started_at": now, "url": row.url}
    connection.execute(insert(tries), tried)
    return row


def _with_all() -> Select[Any]:
    """Deliveries with their event, their endpoint, and what became of their last try."""
    endpoints = webhook_endpoints
    columns = [
        *deliveries.c,
        *(events.c[name].label(name) for name in ("type", "batch_id", "data")),
        events.c.created_at.label("happened_at"),
        *(endpoints.c[name] for name in ("owner", "url", "secret", "old_secret", "old_secret_until")),
        *(endpoints.c[name] for name in ("removed_at", "disabled_at")),
        *(tries.c[name] for name in ("http_status", "error")),
    ]
    joined = deliveries.join(events, events.c.id == deliveries.c.event_id)
    joined = joined.join(endpoints, endpoints.c.id == deliveries.c.endpoint_id)
    is_last = and_(tries.c.delivery_id == deliveries.c.id, tries.c.number == deliveries.c.tries)
    return select(*columns).select_from(joined.outerjoin(tries, is_last))


def end_try(connection: Connection, delivery_id: UUID, number: int, **values: object) -> None:
    """What became of a try."""
    chosen = update(tries).where(tries.c.delivery_id == delivery_id, tries.c.number == number)
    connection.execute(chosen.values(**values))


def end(
    connection: Connection, delivery_id: UUID, number: int, state: DeliveryState, due_at: datetime | None, now: datetime
) -> bool:
    """Where a delivery is after its try of this number; False: another try has begun meanwhile, or it was ended."""
    chosen = update(deliveries).where(deliveries.c.id == delivery_id, deliveries.c.tries == number, _IS_PENDING)
    finished_at = now if due_at is None else None
    return connection.execute(chosen.values(state=state, due_at=due_at, finished_at=finished_at)).rowcount > 0


def put_off(connection: Connection, endpoint_id: UUID, until: datetime) -> None:
    """Nothing is due to an endpoint before then."""
    chosen = update(deliveries).where(deliveries.c.endpoint_id == endpoint_id, _IS_PENDING)
    connection.execute(chosen.where(deliveries.c.due_at < until).values(due_at=until))


def give_up(connection: Connection, endpoint_id: UUID, now: datetime) -> None:
    """End what is on its way to an endpoint that is disabled or gone; what is being sent just now has begun."""
    chosen = update(deliveries).where(deliveries.c.endpoint_id == endpoint_id, _IS_PENDING)
    connection.execute(chosen.values(state=DeliveryState.FAILED, due_at=None, finished_at=now))


def due(connection: Connection, now: datetime, limit: int) -> tuple[int, datetime | None]:
    """How many deliveries are due, up to `limit`, and when the next of the others is."""
    pending = select(deliveries.c.due_at).where(_IS_PENDING).order_by(deliveries.c.due_at)
    are_due = pending.where(deliveries.c.due_at <= now).limit(limit).subquery()
    ahead = pending.where(deliveries.c.due_at > now).limit(1).scalar_subquery()
    number, next_at = connection.execute(
        select(select(func.count()).select_from(are_due).scalar_subquery(), ahead)
    ).one()
    return number, next_at


def outlook(connection: Connection, endpoint_id: UUID, most: int) -> Row[Any]:
    """How many deliveries to an endpoint are `pending`, and how many have `failed`, up to `most` of each; and when the
    `next_at` of the pending ones is due."""
    of_endpoint = deliveries.c.endpoint_id == endpoint_id
    pending = select(deliveries.c.due_at).where(of_endpoint, _IS_PENDING)
    failed = select(deliveries.c.id).where(of_endpoint, deliveries.c.state == literally(DeliveryState.FAILED))
    columns = [
        select(func.count()).select_from(found.limit(most).subquery()).scalar_subquery().label(name)
        for name, found in (("pending", pending), ("failed", failed))
    ]
    next_at = pending.order_by(deliveries.c.due_at).limit(1).scalar_subquery()
    query: Select[Any] = select(*columns, next_at.label("next_at"))
    return connection.execute(query).one()


def again(connection: Connection, delivery_ids: Sequence[UUID], now: datetime) -> None:
    """Put deliveries on their way once more, with all of their tries; those that are on their way are due now."""
    chosen = update(deliveries).where(deliveries.c.id.in_(delivery_ids))
    connection.execute(chosen.values(state=DeliveryState.PENDING, due_at=now, step=0, finished_at=None))


def failed_since(connection: Connection, endpoint_id: UUID, since: datetime, limit: int) -> Sequence[UUID]:
    """Up to `limit` deliveries to an endpoint that were given up, of events that happened since then."""
    query = (
        select(deliveries.c.id)
        .join(events, events.c.id == deliveries.c.event_id)
        .where(deliveries.c.endpoint_id == endpoint_id, deliveries.c.state == literally(DeliveryState.FAILED))
        .where(events.c.created_at >= since, events.c.batch_id.is_not(None))
    )
    return connection.execute(query.order_by(deliveries.c.id).limit(limit)).scalars().all()


def get(connection: Connection, owner: str | None, delivery_id: UUID) -> Row[Any] | None:
    """One delivery of this owner's, with its event and its endpoint; `owner` None: whoever's it is."""
    query = _with_all().where(deliveries.c.id == delivery_id)
    if owner is not None:
        query = query.where(webhook_endpoints.c.owner == owner)
    return connection.execute(query).one_or_none()


def page(
    connection: Connection, endpoint_id: UUID, state: DeliveryState | None, before: UUID | None, limit: int
) -> Sequence[Row[Any]]:
    """Up to `limit` deliveries to an endpoint, newest first, older than `before`."""
    query = _with_all().where(deliveries.c.endpoint_id == endpoint_id)
    if state is not None:
        query = query.where(deliveries.c.state == literally(state))
    if before is not None:
        query = query.where(deliveries.c.id < before)
    return connection.execute(query.order_by(deliveries.c.id.desc()).limit(limit)).all()


def tries_of(connection: Connection, delivery_id: UUID) -> Sequence[Row[Any]]:
    """Every try of a delivery, in order."""
    return connection.execute(select(tries).where(tries.c.delivery_id == delivery_id).order_by(tries.c.number)).all()
