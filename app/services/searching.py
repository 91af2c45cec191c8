"""Searching: what a word is the id or the name of."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.db import Connection
from app.errors import NotFound
from app.ids import Kind
from app.ids import read as read_id
from app.runtime import Runtime
from app.services.joblists import named
from app.store import attempts, batches, callbacklists, jobs

MOST = 50
KINDS: tuple[Kind, ...] = ("batch", "job", "attempt", "callback")


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that was found. `label` is what its owner calls it, or what became of it."""

    kind: Kind
    id: UUID
    label: str | None
    state: str | None = None
    batch_name: str | None = None


def find(runtime: Runtime, word: str) -> tuple[Hit, ...]:
    """Up to 50 things of which this is the id, with or without its prefix, the `custom_id`, or that of a task."""
    with runtime.database.reading() as connection:
        hits = tuple(_by_id(connection, word))
        return hits or tuple(_by_name(connection, word))


def _by_id(connection: Connection, word: str) -> Iterator[Hit]:
    """By what is unique wherever it stands."""
    for kind in KINDS:
        found = _id_of(kind, word)
        if found is not None:
            yield from _FINDERS[kind](connection, found)


def _id_of(kind: Kind, word: str) -> UUID | None:
    try:
        return read_id(kind, word)
    except NotFound:
        pass
    try:
        return UUID(word)
    except ValueError:
        return None


def _batch(connection: Connection, batch_id: UUID) -> Iterator[Hit]:
    row = batches.get(connection, None, batch_id)
    if row is not None:
        yield Hit("batch", row.id, row.name)


def _job(connection: Connection, job_id: UUID) -> Iterator[Hit]:
    row = jobs.get(connection, None, job_id)
    if row is not None:
        yield _job_hit(connection, row)


def _attempt(connection: Connection, attempt_id: UUID) -> Iterator[Hit]:
    job_id = attempts.owner(connection, attempt_id)
    if job_id is not None:
        yield from _job(connection, job_id)


def _callback(connection: Connection, callback_id: UUID) -> Iterator[Hit]:
    row = callbacklists.get(connection, callback_id)
    if row is not None:
        yield Hit("callback", row.id, row.detail, row.outcome)


_FINDERS = {"batch": _batch, "job": _job, "attempt": _attempt, "callback": _callback}


def _by_name(connection: Connection, word: str) -> Iterator[Hit]:
    """By a `custom_id` or the id of a task, of which there may be several."""
    for job_id in named(connection, word)[:MOST]:
        yield from _job(connection, job_id)


def _job_hit(connection: Connection, row: Any) -> Hit:
    batch = batches.get(connection, None, row.batch_id)
    return Hit("job", row.id, row.custom_id, row.state, batch.name if batch is not None else None)
