"""Limits: one row a provider, which every claim locks first, so that all workers share one rate and one echo."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, select, update

from app.models import holds as hold_rows
from app.models import limits
from app.store import attempts, batches, breakers, dialects, holds, jobs


@dataclass(frozen=True, slots=True)
class Standing:
    """How a provider stands: what it has of ours, whether a suspect is due for it, whether its breaker has tripped and
    a submit is under way that tries it, whether open batches fall back on it, and all holds (scope, id and reason)."""

    in_flight: int
    has_suspect: bool
    has_tripped: bool
    is_submitting: bool
    is_fallback: bool
    held: Sequence[tuple[str, str, str]]

    @property
    def room(self) -> int:
        """How many submits may begin while no hold stands: after a breaker has tripped one at a time, of all workers,
        until one succeeds."""
        if not self.has_tripped:
            return sys.maxsize
        return 0 if self.is_submitting else 1


def lock(connection: Connection, provider: str, now: datetime) -> Row[Any]:
    """`next_slot_at`, the next free rate slot, and `is_full`, whether the last claim found too little room in flight.

    `echoed_url`: where the last echo came back, None if it did not; `echoed_at`: when that one was asked for;
    `echo_due_at`: when to ask again, None at once; `listening_since`: tasks accepted before it say nothing of the
    provider's silence, None: all count.
    Until the transaction ends no other worker claims for it.
    """
    query = select(limits).where(limits.c.provider == provider).with_for_update()
    found = connection.execute(query).one_or_none()
    if found is None:
        row = {"provider": provider, "next_slot_at": now, "is_full": False}
        connection.execute(dialects.insert(connection, limits).values(row).on_conflict_do_nothing())
        found = connection.execute(query).one()
    return found


def standing(connection: Connection, provider: str, now: datetime) -> Standing:
    """What a claim has to know beside the rate, in one statement: each costs it a round trip.

    After `lock`, never with it: a statement that waits for a lock counts what was so before it waited.
    """
    counted = select(
        attempts.counting_in_flight(provider).scalar_subquery().label("in_flight"),
        exists().where(jobs.are_due(provider, now, suspect=True)).label("has_suspect"),
        breakers.tripped(provider).label("has_tripped"),
        and_(breakers.tripped(provider), attempts.submitting(provider)).label("is_submitting"),
        batches.fall_back_on(provider).label("is_fallback"),
    ).subquery()
    beside = counted.outerjoin(hold_rows, holds.stand(now))
    columns = (hold_rows.c.scope, hold_rows.c.scope_id, hold_rows.c.reason)
    rows = connection.execute(select(counted, *columns).select_from(beside)).all()
    held = [(row.scope, row.scope_id, row.reason) for row in rows if row.scope is not None]
    found = rows[0]
    return Standing(
        found.in_flight,
        bool(found.has_suspect),
        bool(found.has_tripped),
        bool(found.is_submitting),
        bool(found.is_fallback),
        held,
    )


def get(connection: Connection, provider: str) -> Row[Any] | None:
    """As `lock`, without the lock; None before the first."""
    return connection.execute(select(limits).where(limits.c.provider == provider)).one_or_none()


def full(connection: Connection) -> Sequence[str]:
    """The providers for which a slot that comes free has somebody waiting."""
    return connection.execute(select(limits.c.provider).where(limits.c.is_full)).scalars().all()


def write(connection: Connection, provider: str, next_slot_at: datetime, *, is_full: bool) -> None:
    """Slots before `next_slot_at` are taken. The row must be locked."""
    chosen = update(limits).where(limits.c.provider == provider)
    connection.execute(chosen.values(next_slot_at=next_slot_at, is_full=is_full))


def put_echo_off(connection: Connection, provider: str, due_at: datetime | None) -> None:
    """The next echo is to be asked for at `due_at`, None: at once. The row must be locked."""
    connection.execute(update(limits).where(limits.c.provider == provider).values(echo_due_at=due_at))


def write_echo(connection: Connection, provider: str, url: str | None, asked_at: datetime, due_at: datetime) -> None:
    """The echo of `asked_at` came back from `url`, or (None) did not. The row must be locked."""
    chosen = update(limits).where(limits.c.provider == provider)
    connection.execute(chosen.values(echoed_url=url, echoed_at=asked_at, echo_due_at=due_at))


def forget_echo(connection: Connection, provider: str) -> None:
    """The last echo counts no more, and one is due. The row must be locked."""
    chosen = update(limits).where(limits.c.provider == provider)
    connection.execute(chosen.values(echoed_url=None, echo_due_at=None))


def listen_again(connection: Connection, provider: str, now: datetime) -> None:
    """What was unanswered so far counts no more, and an echo is due."""
    chosen = update(limits).where(limits.c.provider == provider)
    connection.execute(chosen.values(listening_since=now, echo_due_at=None))
