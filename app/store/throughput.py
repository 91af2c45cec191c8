"""Throughput: how many jobs ended in each minute, by provider."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, delete, func, select

from app.ids import new_id
from app.models import throughput
from app.store import dialects

LANES = 8


class Ended(NamedTuple):
    """How many jobs ended with an answer, and how many without."""

    completed: int
    failed: int


def add(connection: Connection, now: datetime, ended: Mapping[str, Ended]) -> None:
    """Count these in, by provider. The last statement of its transaction: until that ends, its rows are locked."""
    minute, lane = now.replace(second=0, microsecond=0), new_id().int % LANES
    rows = [
        {"minute": minute, "provider": provider, "lane": lane, **ended[provider]._asdict()}
        for provider in sorted(ended)  # an order for all, so that nobody waits in a circle
        if any(ended[provider])
    ]
    for row in rows:
        statement = dialects.insert(connection, throughput).values(row)
        more = {name: throughput.c[name] + statement.excluded[name] for name in Ended._fields}
        connection.execute(statement.on_conflict_do_update(index_elements=["minute", "provider", "lane"], set_=more))


def since(connection: Connection, instant: datetime) -> Sequence[Row[Any]]:
    """`minute`, `completed` and `failed` of each minute since then in which a job ended, over all providers."""
    sums = [func.sum(throughput.c[name]).label(name) for name in Ended._fields]
    query = select(throughput.c.minute, *sums).where(throughput.c.minute >= instant)
    return connection.execute(query.group_by(throughput.c.minute).order_by(throughput.c.minute)).all()


def forget(connection: Connection, before: datetime) -> None:
    """Drop the minutes before then."""
    connection.execute(delete(throughput).where(throughput.c.minute < before))
