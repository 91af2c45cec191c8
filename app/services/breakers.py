"""Breakers: a provider that fails again and again is left alone for a while, then tried with one submit.

Many faults in a row open the breaker: a hold that every worker sees. When the hold ends, one submit over all workers
goes to try; a fault opens it again, for longer, and a success closes it.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from app.db import Connection
from app.providers.base import Accepted, Answered, Held, Rejected, SubmitOutcome, Unknown
from app.store import breakers, holds
from app.store.breakers import CLOSED, Breaker
from app.transitions import Moment

logger = logging.getLogger(__name__)

REASON = "breaker"

Told = tuple[UUID, SubmitOutcome | None]
"""An attempt, and what the provider said to it; None: it was not sent."""


def is_fault(outcome: SubmitOutcome | None) -> bool:
    """Whether the provider gave no answer to go by.

    A 429 and a refused key are answers, with holds of their own: they neither open a breaker nor close it.
    """
    return isinstance(outcome, Unknown) or (isinstance(outcome, Held) and outcome.reason == "unreachable")


def is_success(outcome: SubmitOutcome | None) -> bool:
    """Whether the provider did its work; to refuse a job for good is work too."""
    return isinstance(outcome, Accepted | Answered | Rejected)


def after(breaker: Breaker, told: Told, most_faults: int, moment: Moment) -> Breaker:
    """What one outcome makes of a breaker. Pure.

    While it is open, faults of what was under way before change nothing.
    """
    attempt_id, outcome = told
    if is_success(outcome):
        return CLOSED
    if not is_fault(outcome) or _is_open(breaker, moment):
        return breaker
    faults, trips = breaker.faults + 1, breaker.trips + 1
    if not breaker.trips and faults < most_faults:
        return replace(breaker, faults=faults)
    return Breaker(faults, trips, moment.timing.backoff_until(moment.now, trips, attempt_id))


def note(
    connection: Connection, provider: str, told: Sequence[Told], most_faults: int, moment: Moment
) -> tuple[Breaker, Breaker]:
    """Fold what became of submits into their provider's breaker, in order; how it was, and how it is.

    In the transaction that writes the outcomes down.
    """
    has_fault = any(is_fault(outcome) for _, outcome in told)
    before = breaker = breakers.lock(connection, provider, make=has_fault)
    for each in told:
        breaker = after(breaker, each, most_faults, moment)
    if has_fault or breaker != before:
        breakers.save(connection, provider, breaker)
    if breaker.until != before.until:
        _hold(connection, provider, breaker, told, moment)
    return before, breaker


def _is_open(breaker: Breaker, moment: Moment) -> bool:
    return breaker.until is not None and breaker.until > moment.now


def _hold(connection: Connection, provider: str, breaker: Breaker, told: Sequence[Told], moment: Moment) -> None:
    if breaker.until is None:
        holds.lift(connection, "provider", provider, REASON)
        logger.info("breaker_closed", extra={"provider": provider})
        return
    words = next(_words(outcome) for _, outcome in reversed(told) if is_fault(outcome))
    row = {
        "scope": "provider",
        "scope_id": provider,
        "reason": REASON,
        "message": f"{breaker.faults} submits in a row failed, the last with {words}"[:500],
        "since": moment.now,
        "until": breaker.until,
        "placed_by": "submission",
    }
    holds.place(connection, row)
    logger.warning("breaker_opened", extra={"provider": provider, "trips": breaker.trips, "until": str(breaker.until)})


def _words(outcome: SubmitOutcome | None) -> str:
    if isinstance(outcome, Unknown):
        return f"{outcome.code}: {outcome.message}"
    return f"{outcome.reason}: {outcome.message}" if isinstance(outcome, Held) else "nothing"


def reset(connection: Connection, provider: str) -> bool:
    """Close it by hand and lift its hold; False: there was nothing to forget."""
    was = breakers.lock(connection, provider)
    breakers.save(connection, provider, CLOSED)
    return holds.lift(connection, "provider", provider, REASON) or was != CLOSED
