"""Fallbacks: what is queued for a provider that is out of order goes to another, where its batch says so."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.db import Connection
from app.runtime import Runtime
from app.services import breakers
from app.services.brakes import ECHO_FAILED, SILENCE
from app.store import batches, limits

OUT_OF_ORDER = frozenset({breakers.REASON, "key_refused", "misconfigured", ECHO_FAILED, SILENCE})
"""The holds on a provider that send its jobs elsewhere. One that only asks for patience, as a 429 does, does not."""


def stands_in_for(runtime: Runtime, connection: Connection, provider: str, now: datetime) -> Sequence[str]:
    """The providers whose queued jobs this one takes just now, where their batches fall back on it."""
    others = batches.falling_back_on(connection, provider)
    return [other for other in others if _is_out_of_order(runtime, connection, other, now)]


def in_charge(runtime: Runtime, connection: Connection, batch: Any, now: datetime) -> str:
    """The provider that takes the queued jobs of this batch just now."""
    fallback: str | None = batch.fallback_provider
    if fallback is None or not _is_out_of_order(runtime, connection, batch.provider, now):
        return str(batch.provider)
    return fallback


def _is_out_of_order(runtime: Runtime, connection: Connection, provider: str, now: datetime) -> bool:
    """Whether it is no longer configured, or held for such a reason, or tried with one job after its breaker opened."""
    if provider not in runtime.providers:
        return True
    standing = limits.standing(connection, provider, now)
    reasons = {reason for scope, scope_id, reason in standing.held if (scope, scope_id) == ("provider", provider)}
    return standing.has_tripped or not reasons.isdisjoint(OUT_OF_ORDER)
