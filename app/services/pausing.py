"""Pausing: nothing more is submitted from a batch, or to a provider, until it is resumed; what was sent goes on."""

from uuid import UUID

from app.errors import Conflict, NotFound
from app.ids import show
from app.runtime import Runtime
from app.services import announcements, audit
from app.services.audit import By, by_owner
from app.services.status import lock_batch
from app.store import holds, limits

PAUSED = "paused"


def pause(runtime: Runtime, owner: str | None, batch_id: UUID, reason: str, by: By | None = None) -> None:
    """Hold a batch, in the words of whoever wants it (at most 500 characters). Again: the words are replaced.

    `by` None: its owner does.

    Raises:
        NotFound: no such batch of this owner's.
        Conflict: it has ended, or is being cancelled.
    """
    now, shown, by = runtime.moment().now, show("batch", batch_id), By((by or by_owner(owner)).actor, reason)
    with runtime.database.transaction() as connection:
        batch = lock_batch(connection, owner, batch_id)
        if batch.finalized_at is not None:
            raise Conflict("The batch has ended; there is nothing to pause.")
        if batch.cancel_requested_at is not None:
            raise Conflict("The batch is being cancelled; there is nothing to pause.")
        is_new = holds.get(connection, "batch", shown, PAUSED) is None
        row = {"scope": "batch", "scope_id": shown, "reason": PAUSED, "message": reason, "since": now, "until": None}
        holds.place(connection, row | {"placed_by": by.actor})
        audit.add(connection, now, by, "batch.pause", shown)
        if is_new:
            announcements.paused(runtime, connection, batch, PAUSED, reason, now)


def resume(runtime: Runtime, owner: str | None, batch_id: UUID, by: By | None = None) -> None:
    """Go on with a batch that was paused; nothing happens to one that is not. Other holds stay.

    `by` None: its owner does.

    Raises:
        NotFound: no such batch of this owner's.
    """
    now, shown = runtime.moment().now, show("batch", batch_id)
    with runtime.database.transaction() as connection:
        batch = lock_batch(connection, owner, batch_id)
        if holds.lift(connection, "batch", shown, PAUSED):
            audit.add(connection, now, by or by_owner(owner), "batch.resume", shown)
    runtime.doorbell.ring(batch.provider)


def pause_provider(runtime: Runtime, provider: str, by: By) -> bool:
    """Submit nothing more to a provider until its hold is lifted; False: it was paused already, and nothing changes.

    Raises:
        NotFound: no such provider here.
    """
    if provider not in runtime.providers:
        raise NotFound("provider", provider)
    now, message = runtime.moment().now, by.reason or "No reason was given."
    with runtime.database.transaction() as connection:
        limits.lock(connection, provider, now)  # no claim is on its way when this returns
        if holds.get(connection, "provider", provider, PAUSED) is not None:
            return False
        row = {"scope": "provider", "scope_id": provider, "reason": PAUSED, "message": message, "since": now}
        holds.place(connection, row | {"until": None, "placed_by": by.actor})
        audit.add(connection, now, by, "provider.pause", f"provider:{provider}")
    return True
