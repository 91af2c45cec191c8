"""Holds, as people see and lift them."""

from collections.abc import Iterable
from datetime import datetime

from app.db import Connection
from app.errors import NotFound
from app.runtime import Runtime
from app.services import audit, breakers
from app.services.audit import By
from app.services.brakes import ECHO_FAILED, SILENCE, ends
from app.services.shown import hold_view
from app.services.views import HoldView
from app.store import holds, limits


def listing(runtime: Runtime) -> tuple[HoldView, ...]:
    """What is held now, oldest first; before all, what the settings of this process forbid."""
    now = runtime.moment().now
    with runtime.database.reading() as connection:
        rows = holds.standing(connection, now)
    return (*by_settings(runtime, runtime.settings.providers_in_use), *map(hold_view, rows))


def by_settings(runtime: Runtime, providers: Iterable[str]) -> tuple[HoldView, ...]:
    """What the settings of this process forbid of these providers."""
    now, end = runtime.moment().now, ends("settings", None)
    refusals = [(name, runtime.settings.refusal_to_submit(name)) for name in providers]
    return tuple(
        HoldView("provider", name, "settings", refusal, now, None, "settings", end)
        for name, refusal in refusals
        if refusal
    )


def lift(runtime: Runtime, scope: str, scope_id: str, reason: str, by: By) -> None:
    """End a hold now; submitting goes on. One for a failed echo comes back if the next fails too.

    Raises:
        NotFound: nothing is held for this reason.
    """
    now = runtime.moment().now
    with runtime.database.transaction() as connection:
        if not _lift(connection, scope, scope_id, reason, now):
            raise NotFound("hold", f"{scope} {scope_id} {reason}")
        audit.add(connection, now, by, "hold.lift", f"{scope}:{scope_id}", hold=reason)
    for provider in runtime.providers:
        runtime.doorbell.ring(provider)


def _lift(connection: Connection, scope: str, scope_id: str, reason: str, now: datetime) -> bool:
    if (scope, reason) == ("provider", breakers.REASON):
        return breakers.reset(connection, scope_id)
    if scope == "provider" and reason in {ECHO_FAILED, SILENCE}:
        limits.listen_again(connection, scope_id, now)
    return holds.lift(connection, scope, scope_id, reason)
