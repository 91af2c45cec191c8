"""Endpoints as they change: renamed, sent elsewhere, disabled, given another secret, removed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.db import Connection
from app.errors import Conflict
from app.ids import show
from app.outbound.signatures import new_secret
from app.runtime import Runtime
from app.services import audit
from app.services.audit import By, by_owner
from app.services.endpoints import NewSecret, check, found, locked
from app.services.webhookviews import EndpointView, endpoint_view, secret_hint
from app.states import EventType
from app.store import deliveries, endpoints

OVERLAP = timedelta(hours=24)
"""How long a secret signs on, beside the one that took its place."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be changed of an endpoint; None: nothing of that."""

    name: str | None = None
    url: str | None = None
    event_types: Sequence[EventType] | None = None
    is_enabled: bool | None = None

    def columns(self) -> dict[str, object]:
        """Those that are written as they come."""
        given = {
            "name": self.name,
            "url": self.url,
            "event_types": self.event_types and list(dict.fromkeys(self.event_types)),
        }
        return {name: value for name, value in given.items() if value is not None}


def change(
    runtime: Runtime, owner: str | None, endpoint_id: UUID, changes: Changes, by: By | None = None
) -> EndpointView:
    """Change an endpoint. What is on its way goes to the new URL; that, or one enabled again, has a clean record.

    `by` None: its owner does.

    Raises:
        NotFound: no such endpoint of this owner's.
        InvalidInput: nothing could be sent to its new URL.
    """
    if changes.url is not None:
        check(runtime, changes.url)
    now = runtime.moment().now
    with runtime.database.transaction() as connection:
        before = locked(connection, owner, endpoint_id)
        columns = changes.columns() | {"updated_at": now}
        if changes.url is not None or changes.is_enabled is True:
            columns |= {"failing_since": None, "not_before": None}
        if changes.is_enabled is True:
            columns |= {"disabled_at": None, "disabled_reason": None}
        if changes.is_enabled is False and before.disabled_at is None:
            disable(connection, endpoint_id, _why(by), now)
        endpoints.change(connection, endpoint_id, **columns)
        after = found(connection, owner, endpoint_id)
        _write_down(connection, now, by or by_owner(before.owner), before, after)
        return endpoint_view(after)


def _why(by: By | None) -> str:
    if by is None:
        return "Its owner disabled it."
    return f"An {by.actor} disabled it{f': {by.reason}' if by.reason else '.'}"


def _write_down(connection: Connection, now: datetime, by: By, before: Any, after: Any) -> None:
    """What is different now; one that is as it was, was not changed."""
    was_off, is_off = before.disabled_at is not None, after.disabled_at is not None
    fields = [name for name in ("name", "url", "event_types") if getattr(before, name) != getattr(after, name)]
    if was_off != is_off:
        audit.add(connection, now, by, f"webhook.{'disable' if is_off else 'enable'}", show("webhook", after.id))
    if fields:
        audit.add(connection, now, by, "webhook.change", show("webhook", after.id), fields=fields)


def disable(connection: Connection, endpoint_id: UUID, reason: str, now: datetime) -> None:
    """Send nothing more to a locked endpoint until somebody enables it."""
    endpoints.change(connection, endpoint_id, disabled_at=now, disabled_reason=reason[:500])
    deliveries.give_up(connection, endpoint_id, now)


def rotate(
    runtime: Runtime,
    owner: str | None,
    endpoint_id: UUID,
    *,
    keeps_old: bool,
    hint: str | None = None,
    by: By | None = None,
) -> NewSecret:
    """Give an endpoint a new secret; the old one signs too for 24 hours, or not any more. `by` None: its owner does.

    `hint` is that of the secret which is to be replaced, so that asked for twice, it is done once: the second time
    would forget the secret that the receiver still has.

    Raises:
        NotFound: no such endpoint of this owner's.
        Conflict: it has another secret than the one with this hint.
    """
    now, new = runtime.moment().now, new_secret()
    with runtime.database.transaction() as connection:
        old = locked(connection, owner, endpoint_id)
        if hint not in (None, secret_hint(old.secret)):
            raise Conflict("Its secret was changed meanwhile.")
        kept = {"old_secret": old.secret, "old_secret_until": now + OVERLAP} if keeps_old else {}
        columns = {"old_secret": None, "old_secret_until": None, "secret": new, "updated_at": now} | kept
        endpoints.change(connection, endpoint_id, **columns)
        audit.add(connection, now, by or by_owner(old.owner), "webhook.rotate", show("webhook", endpoint_id))
        return NewSecret(endpoint_view(found(connection, owner, endpoint_id)), new)


def remove(runtime: Runtime, owner: str, endpoint_id: UUID) -> None:
    """Nothing more is sent there; its secrets are forgotten. Raises NotFound: no such endpoint of this owner's."""
    now = runtime.moment().now
    with runtime.database.transaction() as connection:
        locked(connection, owner, endpoint_id)
        gone = {"removed_at": now, "secret": "", "old_secret": None, "old_secret_until": None}
        endpoints.change(connection, endpoint_id, **gone)
        deliveries.give_up(connection, endpoint_id, now)
        audit.add(connection, now, by_owner(owner), "webhook.delete", show("webhook", endpoint_id))
