"""Budgets: a batch that has cost what it may is paused, never failed; with a higher budget it goes on."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.db import Connection
from app.ids import show
from app.runtime import Runtime
from app.services import announcements, audit
from app.services.audit import By, by_owner
from app.services.shown import money
from app.services.status import lock_batch
from app.store import batches, budgets, holds

logger = logging.getLogger(__name__)

REASON = "budget"
PLACES = 9  # decimals that are kept of a cost


def enforce(runtime: Runtime, batch_ids: Iterable[UUID] | None = None) -> None:
    """Hold those of these batches, of all for None, that have spent their budget."""
    with runtime.database.reading() as connection:
        found = budgets.spent(connection, batch_ids)
    hold(runtime, [row.id for row in found])


def hold(runtime: Runtime, batch_ids: Sequence[UUID]) -> None:
    """Hold these batches, which have spent their budgets, unless they are held already.

    They were found after the transaction that booked a cost: inside it, two last costs would each see too little.
    """
    if not batch_ids:
        return
    now = runtime.moment().now
    with runtime.database.reading() as connection:
        held = holds.on_batches(connection, batch_ids, now)
    new = [batch_id for batch_id in batch_ids if all(each.reason != REASON for each in held.get(batch_id, ()))]
    if new:
        with runtime.database.transaction() as connection:
            locked = batches.lock(connection, new)  # a higher budget may be on its way
            for row in budgets.spent(connection, new):
                message = _hold(connection, row, now)
                announcements.paused(runtime, connection, locked[row.id], REASON, message, now)


def settle(runtime: Runtime) -> bool:
    """A step of the sweep: what was missed, as its process died; there is never more of it."""
    enforce(runtime)
    return False


def change(runtime: Runtime, owner: str | None, batch_id: UUID, budget: Decimal, by: By | None = None) -> None:
    """Give a batch another budget, in the provider's currency; it goes on if that is more than it has cost.

    `by` None: its owner does.

    Raises:
        NotFound: no such batch of this owner's.
    """
    now, shown = runtime.moment().now, show("batch", batch_id)
    with runtime.database.transaction() as connection:
        batch = lock_batch(connection, owner, batch_id)
        batches.change(connection, batch_id, budget_nano=to_nano(budget))
        audit.add(connection, now, by or by_owner(owner), "batch.budget", shown, budget=str(budget))
        holds.lift(connection, "batch", shown, REASON)
        for row in budgets.spent(connection, [batch_id]):
            _hold(connection, row, now)
    runtime.doorbell.ring(batch.provider)


def to_nano(amount: Decimal) -> int:
    """An amount as it is kept: an integer of 10^-9 of the currency's unit."""
    return int(amount.scaleb(PLACES))


def _hold(connection: Connection, row: Any, now: datetime) -> str:
    """Hold a batch, in the words that are returned."""
    shown = show("batch", row.id)
    message = f"{money(row.cost_nano).normalize():f} of {money(row.budget_nano).normalize():f} is spent."
    hold = {"scope": "batch", "scope_id": shown, "reason": REASON, "message": message, "since": now, "until": None}
    holds.place(connection, hold | {"placed_by": "budget"})
    logger.info("budget_spent", extra={"batch_id": shown})
    return message
