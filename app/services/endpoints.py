"""Endpoints: an owner's URLs that are told of batches, and the secrets that sign what is sent there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection
from app.errors import InvalidInput, NotFound, Problem
from app.ids import new_id, show
from app.outbound.signatures import new_secret
from app.runtime import Runtime
from app.services import audit
from app.services.audit import by_owner
from app.services.status import read_cursor
from app.services.views import Page
from app.services.webhookviews import EndpointView, endpoint_view
from app.states import END_EVENTS, EventType
from app.store import endpoints

MOST = 100
"""Endpoints that one owner may have, those aside that batches name."""


@dataclass(frozen=True, slots=True)
class NewSecret:
    """An endpoint and the secret that signs for it from now on."""

    endpoint: EndpointView
    secret: str


def check(runtime: Runtime, url: str, pointer: str = "/url") -> None:
    """Whether webhooks could be sent there, as far as the URL itself tells.

    Raises:
        InvalidInput: they could not.
    """
    refusal = runtime.guard.refusal_of(url)
    if refusal is not None:
        raise InvalidInput([Problem(refusal, pointer, value=url)])


def create(runtime: Runtime, owner: str, url: str, event_types: Sequence[EventType], name: str = "") -> NewSecret:
    """A new endpoint, that hears of all of its owner's batches.

    Raises:
        InvalidInput: nothing could be sent there, or the owner has too many.
    """
    check(runtime, url)
    now, secret = runtime.moment().now, new_secret()
    row = _row(owner, url, secret, now) | {"name": name, "event_types": list(dict.fromkeys(event_types))}
    with runtime.database.transaction() as connection:
        if endpoints.count(connection, owner) >= MOST:
            raise InvalidInput([Problem(f"There are {MOST} endpoints already.", limit=MOST)])
        endpoints.add(connection, row)
        audit.add(connection, now, by_owner(owner), "webhook.create", show("webhook", row["id"]))
        stored = endpoints.get(connection, owner, row["id"])
    return NewSecret(endpoint_view(stored), secret)


def named(runtime: Runtime, owner: str, url: str) -> UUID:
    """The endpoint of a URL that a batch names; a new one, that hears of such batches alone, if there is none.

    In a transaction of its own, so that no batch waits for one that is still being stored.
    """
    now = runtime.moment().now
    with runtime.database.transaction() as connection:
        stored = endpoints.of_url(connection, owner, url)
        if stored is None:
            row = _row(owner, url, new_secret(), now) | {"of_named_batches": True}
            endpoints.add(connection, row | {"name": "", "event_types": list(END_EVENTS)})
            # If another request has just made it, that is the one.
            stored = endpoints.of_url(connection, owner, url)
    if stored is None:
        raise AssertionError("an endpoint is gone that was just made")
    endpoint_id: UUID = stored.id
    return endpoint_id


def listing(runtime: Runtime, owner: str | None, cursor: str | None, limit: int) -> Page[EndpointView]:
    """Up to `limit` endpoints of an owner's, or of all for None, newest first.

    Raises:
        InvalidInput: `cursor` is none of ours.
    """
    before = None if cursor is None else read_cursor("webhook", cursor)
    with runtime.database.reading() as connection:
        rows = endpoints.page(connection, owner, before, limit + 1)
    views = tuple(map(endpoint_view, rows[:limit]))
    return Page(views, show("webhook", views[-1].id) if len(rows) > limit else None)


def get(runtime: Runtime, owner: str | None, endpoint_id: UUID) -> EndpointView:
    """One endpoint. Raises NotFound: no such endpoint of this owner's."""
    with runtime.database.reading() as connection:
        return endpoint_view(found(connection, owner, endpoint_id))


def secret(runtime: Runtime, owner: str, endpoint_id: UUID) -> NewSecret:
    """The secret that signs for an endpoint. Raises NotFound: no such endpoint of this owner's."""
    with runtime.database.reading() as connection:
        row = found(connection, owner, endpoint_id)
    return NewSecret(endpoint_view(row), row.secret)


def found(connection: Connection, owner: str | None, endpoint_id: UUID) -> Any:
    """The row of an endpoint. Raises NotFound: no such endpoint of this owner's."""
    row = endpoints.get(connection, owner, endpoint_id)
    if row is None:
        raise NotFound("webhook", show("webhook", endpoint_id))
    return row


def locked(connection: Connection, owner: str | None, endpoint_id: UUID) -> Any:
    """As `found`, locked."""
    row = endpoints.lock(connection, endpoint_id)
    if row is None or owner not in (None, row.owner) or row.removed_at is not None:
        raise NotFound("webhook", show("webhook", endpoint_id))
    return row


def _row(owner: str, url: str, new: str, now: datetime) -> dict[str, Any]:
    row: dict[str, Any] = {"id": new_id(), "owner": owner, "url": url, "of_named_batches": False, "secret": new}
    return row | {"created_at": now, "updated_at": now}
