"""Endpoints and deliveries as their owners see them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.states import DeliveryState, EventType

COUNTED = 1000
"""As far as anybody counts what waits for an endpoint: beyond, more is as bad."""


@dataclass(frozen=True, slots=True)
class EndpointView:
    """An endpoint without its secrets; `secret_hint` tells which it is.

    `of_named_batches`: it hears only of batches that name its URL. `failing_since`: when the first try failed after
    the last that did not. `disabled_reason` says why nothing is sent there.
    """

    id: UUID
    owner: str
    name: str
    url: str
    event_types: tuple[EventType, ...]
    of_named_batches: bool
    secret_hint: str
    old_secret_until: datetime | None
    created_at: datetime
    updated_at: datetime
    failing_since: datetime | None
    not_before: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is on its way to an endpoint, what was given up, both up to `COUNTED`, and when the next is tried."""

    pending: int
    failed: int
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class TryView:
    """One try. Without an end, it is under way or its worker died; `http_status` None: no answer came."""

    number: int
    url: str
    started_at: datetime
    finished_at: datetime | None
    http_status: int | None
    error: str | None
    request_head: str | None
    response_head: str | None


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """An event on its way to an endpoint; `http_status` and `error` of its last try. `batch_id` None: it is a test."""

    id: UUID
    webhook_id: UUID
    event_id: UUID
    type: EventType
    batch_id: UUID | None
    happened_at: datetime
    state: DeliveryState
    due_at: datetime | None
    tries: int
    created_at: datetime
    finished_at: datetime | None
    http_status: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class DeliveryDetail:
    """A delivery with all of its tries."""

    delivery: DeliveryView
    log: tuple[TryView, ...]


def endpoint_view(row: Any) -> EndpointView:
    """An endpoint's row."""
    return EndpointView(
        id=row.id,
        owner=row.owner,
        name=row.name,
        url=row.url,
        event_types=tuple(EventType(each) for each in row.event_types),
        of_named_batches=row.of_named_batches,
        secret_hint=secret_hint(row.secret),
        old_secret_until=row.old_secret_until,
        created_at=row.created_at,
        updated_at=row.updated_at,
        failing_since=row.failing_since,
        not_before=row.not_before,
        disabled_at=row.disabled_at,
        disabled_reason=row.disabled_reason,
    )


def secret_hint(secret: str) -> str:
    """What tells a secret from others, and does not help to guess it."""
    return f"{secret[:6]}…{secret[-4:]}"


def delivery_view(row: Any) -> DeliveryView:
    """A delivery's row, with those of its event and its last try."""
    return DeliveryView(
        id=row.id,
        webhook_id=row.endpoint_id,
        event_id=row.event_id,
        type=EventType(row.type),
        batch_id=row.batch_id,
        happened_at=row.happened_at,
        state=DeliveryState(row.state),
        due_at=row.due_at,
        tries=row.tries,
        created_at=row.created_at,
        finished_at=row.finished_at,
        http_status=row.http_status,
        error=row.error,
    )


def try_view(row: Any) -> TryView:
    """A row of the log."""
    return TryView(
        number=row.number,
        url=row.url,
        started_at=row.started_at,
        finished_at=row.finished_at,
        http_status=row.http_status,
        error=row.error,
        request_head=row.request_head,
        response_head=row.response_head,
    )
