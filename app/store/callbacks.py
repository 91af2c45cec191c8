"""The inbox: every body that a provider sent, as it came, and what became of it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, bindparam, func, select, update

from app.models import attempts, callbacks
from app.states import Outcome
from app.store import bulk

Figures = Mapping[UUID, Mapping[str, int]]


def add(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> Callable[[], Figures]:
    """Keep these bodies. What it returns has to be called when they are written (see `bulk.together`).

    It counts `times` up for those that their attempts had brought already, of which nothing else changes, and tells
    what all of them add to the figures of each batch: bodies that are `late`, or were `read_back`, and `repeats` of
    earlier ones. An orphan is in no figure, whatever its `times`, until it comes again when its attempt is here, or is
    matched.
    """
    distinct = _distinct(rows)
    if not distinct:
        return dict
    written = bulk.add_new(connection, callbacks, distinct, "ON CONFLICT (attempt_id, sha256) DO NOTHING")
    return lambda: _count(connection, distinct, written.rowcount)


def _count(connection: Connection, rows: Sequence[Mapping[str, Any]], written: int) -> Figures:
    if written == len(rows):
        return _added(rows, set())
    ids = {row["id"] for row in rows}
    stored = set(connection.execute(select(callbacks.c.id).where(callbacks.c.id.in_(ids))).scalars())
    if len(stored) > written:
        # The same try of the same body, committed before, in a group that failed after that: it is counted.
        rows = [row for row in rows if row["id"] not in stored]
    repeated = [row for row in rows if row["id"] not in stored]
    orphans = _orphans_among(connection, repeated)
    _count_up(connection, repeated)
    adopted = [  # they stay what they were at first: nobody asked for an orphan
        {**row, "times": row["times"] + orphans[_key(row)], "source": "callback"}
        for row in repeated
        if _key(row) in orphans
    ]
    _adopt(connection, adopted)
    rest = [row for row in rows if _key(row) not in orphans]
    return _added([*rest, *adopted], {row["id"] for row in repeated if _key(row) not in orphans})


def _key(row: Mapping[str, Any]) -> tuple[UUID, str]:
    return row["attempt_id"], row["sha256"]


def _distinct(rows: Iterable[Mapping[str, Any]]) -> Sequence[dict[str, Any]]:
    """One row for each body of an attempt, however often it came in this group."""
    found: dict[tuple[UUID, str], dict[str, Any]] = {}
    for row in rows:
        known = found.setdefault(_key(row), {**row, "times": 0})
        known |= {"times": known["times"] + row["times"], "last_received_at": row["last_received_at"]}
    return list(found.values())


def _count_up(connection: Connection, repeated: Sequence[Mapping[str, Any]]) -> None:
    """Count up bodies that were there before these came."""
    if not repeated:
        return
    same = (callbacks.c.attempt_id == bindparam("attempt"), callbacks.c.sha256 == bindparam("digest"))
    statement = update(callbacks).where(*same)
    at = bindparam("at", type_=callbacks.c.last_received_at.type)
    parameters = [
        {"attempt": row["attempt_id"], "digest": row["sha256"], "more": row["times"], "at": row["last_received_at"]}
        for row in repeated
    ]
    connection.execute(statement.values(times=callbacks.c.times + bindparam("more"), last_received_at=at), parameters)


def _orphans_among(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> Mapping[tuple[UUID, str], int]:
    """How often those of these bodies came that were kept when their attempt was not here, as it is now."""
    of_attempts = callbacks.c.attempt_id.in_({row["attempt_id"] for row in rows if row["job_id"] is not None})
    query = select(callbacks.c.attempt_id, callbacks.c.sha256, callbacks.c.times)
    found = connection.execute(query.where(of_attempts, callbacks.c.outcome == Outcome.ORPHAN))
    return {(row.attempt_id, row.sha256): row.times for row in found}


def _adopt(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Make these orphans what they are, now that they came again; also one that somebody discarded."""
    if not rows:
        return
    same = (callbacks.c.attempt_id == bindparam("attempt"), callbacks.c.sha256 == bindparam("digest"))
    names = ("job_id", "outcome", "detail")
    changed: dict[str, Any] = {name: bindparam(f"new_{name}", type_=callbacks.c[name].type) for name in names}
    parameters = [
        {"attempt": row["attempt_id"], "digest": row["sha256"]} | {f"new_{name}": row[name] for name in names}
        for row in rows
    ]
    statement = update(callbacks).where(*same).values(rematch_at=None, discarded_at=None, **changed)
    connection.execute(statement, parameters)


def _added(rows: Sequence[Mapping[str, Any]], repeated: Collection[UUID]) -> Figures:
    added: dict[UUID, Counter[str]] = defaultdict(Counter)
    for row in rows:
        is_new = row["id"] not in repeated
        added[row["batch_id"]]["repeats"] += row["times"] - is_new
        added[row["batch_id"]]["late"] += is_new and row["outcome"] is Outcome.LATE
        added[row["batch_id"]]["read_back"] += is_new and row["source"] == "read_back"
    return added


def of_job(connection: Connection, job_id: UUID) -> Sequence[Row[Any]]:
    """The bodies for one job, first to last, each by its length only."""
    columns: list[Any] = [column for column in callbacks.c if column.name != "body"]
    query: Select[Any] = select(*columns, func.length(callbacks.c.body).label("bytes")).where(
        callbacks.c.job_id == job_id
    )
    return connection.execute(query.order_by(callbacks.c.received_at, callbacks.c.id)).all()


def of_jobs(connection: Connection, job_ids: Iterable[UUID]) -> Sequence[Row[Any]]:
    """The whole bodies for these jobs that contradict nothing, first to last."""
    fitting = callbacks.c.outcome.in_((Outcome.APPLIED, Outcome.LATE))
    query = select(callbacks).where(callbacks.c.job_id.in_(list(job_ids)), fitting)
    return connection.execute(query.order_by(callbacks.c.received_at, callbacks.c.id)).all()


def newest(connection: Connection, provider: str, limit: int) -> Sequence[Row[Any]]:
    """`source`, `received_at` and `last_received_at` of the newest bodies, with `acked_at` of their attempts.

    In the order of their ids, which is that of their arrival: no other index of what was ever received is needed.
    """
    bodies = callbacks.c
    query: Select[Any] = select(bodies.source, bodies.received_at, bodies.last_received_at, attempts.c.acked_at)
    query = query.outerjoin_from(callbacks, attempts, attempts.c.id == callbacks.c.attempt_id)
    return connection.execute(query.where(bodies.provider == provider).order_by(bodies.id.desc()).limit(limit)).all()


def mark_applied(connection: Connection, callback_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """These bodies have become results after all; how many of each batch were late until now."""
    if not callback_ids:
        return {}
    chosen = callbacks.c.id.in_(callback_ids)
    were_late = select(callbacks.c.batch_id).where(chosen, callbacks.c.outcome == Outcome.LATE)
    late = Counter(connection.execute(were_late).scalars())
    connection.execute(update(callbacks).where(chosen).values(outcome=Outcome.APPLIED, detail="salvaged"))
    return late
