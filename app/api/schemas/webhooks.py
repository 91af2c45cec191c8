"""Endpoints of webhooks and what was sent there, as clients send and get them."""

import re
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from app.api.schemas.inputs import Input, Query, Url, place
from app.api.schemas.shown import BatchId, DeliveryId, EventId, Output, WebhookId, id_pattern
from app.services.webhookviews import DeliveryDetail
from app.states import END_EVENTS, DeliveryState, EventType

EventTypes = Annotated[list[Annotated[EventType, Field(strict=False)]], Field(min_length=1, max_length=len(EventType))]
Name = Annotated[str, Field(max_length=200)]


_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)


def _is_written_out(given: object) -> object:
    """Pydantic would take a number for seconds since 1970, and a date for its midnight."""
    if not (isinstance(given, str) and _INSTANT.fullmatch(given)):
        raise PydanticCustomError("instant", "Should be an instant as RFC 3339 has it, as 2026-01-31T12:00:00Z")
    return given


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


Instant = Annotated[datetime, Field(strict=False), BeforeValidator(_is_written_out), AfterValidator(_aware)]


class WebhookIn(Input):
    """A URL to be told of batches."""

    url: Url
    name: Name = ""
    event_types: EventTypes = Field(
        default=list(END_EVENTS), description="What it is told of; the ends of batches by default."
    )


class WebhookChangeIn(Input):
    """What is to be changed; the rest stays."""

    url: Url | None = None
    name: Name | None = None
    event_types: EventTypes | None = None
    enabled: bool | None = Field(default=None, description="`true` also forgets what went wrong before.")


class RotationIn(Input):
    """What becomes of the secret that was used so far."""

    keep_old: bool = Field(default=True, description="Whether it signs too for another 24 hours.")


class ExampleIn(Input):
    """What is to be sent as an example."""

    type: Annotated[EventType, Field(strict=False)] = EventType.COMPLETED


class SinceIn(Input):
    """Since when."""

    since: Instant = Field(description="RFC 3339; without an offset it is UTC.")


class WebhookListQuery(Query):
    """Which page of the endpoints."""

    cursor: str | None = place(id_pattern("webhook"))
    limit: int = Field(default=20, ge=1, le=100)


class DeliveryListQuery(Query):
    """Which deliveries, and which page of them."""

    cursor: str | None = place(id_pattern("delivery"))
    limit: int = Field(default=20, ge=1, le=100)
    state: DeliveryState | None = None


class WebhookOut(Output):
    """An endpoint."""

    id: WebhookId
    name: str
    url: str
    event_types: list[EventType]
    of_named_batches: bool = Field(description="Whether it is told only of batches that name it as `webhook_url`.")
    secret_hint: str
    old_secret_until: datetime | None = Field(description="Until when the secret before signs too.")
    created_at: datetime
    updated_at: datetime
    failing_since: datetime | None = Field(description="When the first try failed after the last that did not.")
    not_before: datetime | None = Field(description="Until when it has asked to be left alone.")
    disabled_at: datetime | None
    disabled_reason: str | None = Field(description="Why nothing is sent there.")


class WebhookSecretOut(Output):
    """An endpoint and the secret that signs what is sent there."""

    endpoint: WebhookOut
    secret: str


class WebhookPageOut(Output):
    """Endpoints, the newest first."""

    items: list[WebhookOut]
    next_cursor: str | None


class _Delivery(Output):
    id: DeliveryId
    webhook_id: WebhookId
    event_id: EventId
    type: EventType
    batch_id: BatchId | None = Field(description="Null for a test.")
    happened_at: datetime
    state: DeliveryState
    due_at: datetime | None = Field(description="When it is tried next.")
    tries: int
    created_at: datetime
    finished_at: datetime | None
    http_status: int | None = Field(description="What the last try was answered.")
    error: str | None = Field(description="Why it failed.")


class DeliveryOut(_Delivery):
    """An event on its way to an endpoint."""


class TryOut(Output):
    """One try. Without an end, it is under way, or the worker that made it is gone."""

    number: int
    url: str
    started_at: datetime
    finished_at: datetime | None
    http_status: int | None
    error: str | None
    request_head: str | None
    response_head: str | None


class DeliveryDetailOut(_Delivery):
    """A delivery with all of its tries."""

    log: list[TryOut]

    @classmethod
    def of(cls, detail: DeliveryDetail) -> Self:
        """The delivery and what hangs on it, side by side."""
        return cls.model_validate(asdict(detail.delivery) | {"log": detail.log})


class DeliveryPageOut(Output):
    """Deliveries, the newest first."""

    items: list[DeliveryOut]
    next_cursor: str | None


class ResentOut(Output):
    """How many events are on their way again."""

    resent: int
