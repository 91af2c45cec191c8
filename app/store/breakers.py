"""Breakers: one row for each provider that has failed lately, shared by all workers; no row is a closed breaker."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, exists, select, update

from app.models import breakers
from app.store import dialects


@dataclass(frozen=True, slots=True)
class Breaker:
    """`faults` in a row; `trips`, how often it has opened since it was last closed; `until` when it is open."""

    faults: int = 0
    trips: int = 0
    until: datetime | None = None


CLOSED = Breaker()


def lock(connection: Connection, provider: str, *, make: bool = False) -> Breaker:
    """The breaker of a provider, its row locked if there is one; `make` one, so that no two count apart."""
    if make:
        row = {"provider": provider, "faults": 0, "trips": 0}
        connection.execute(dialects.insert(connection, breakers).values(row).on_conflict_do_nothing())
    query = select(breakers).where(breakers.c.provider == provider).with_for_update()
    found = connection.execute(query).one_or_none()
    return CLOSED if found is None else Breaker(found.faults, found.trips, found.until)


def save(connection: Connection, provider: str, breaker: Breaker) -> None:
    """Write down how it is. The row must be locked; a closed breaker leaves none."""
    chosen = breakers.c.provider == provider
    if breaker == CLOSED:
        connection.execute(delete(breakers).where(chosen))
    else:
        values = {"faults": breaker.faults, "trips": breaker.trips, "until": breaker.until}
        connection.execute(update(breakers).where(chosen).values(values))


def tripped(provider: str | ColumnElement[str]) -> ColumnElement[bool]:
    """That it has opened and was not closed since; a condition, to be part of queries."""
    return exists().where(breakers.c.provider == provider, breakers.c.trips > 0)


def has_tripped(connection: Connection, provider: str) -> bool:
    """Whether it has opened and was not closed since."""
    return bool(connection.execute(select(tripped(provider))).scalar_one())
