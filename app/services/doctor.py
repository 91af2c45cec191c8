"""The doctor: looks for rows that break an invariant, in one batch or in all, in many short transactions."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from app.providers.base import Answer, Failure
from app.runtime import Runtime
from app.services.byhand import OPERATOR
from app.services.reparse import NOT_RECOGNISED
from app.store import batches, bodies, invariants
from app.store.invariants import LAST_POSITION, Invariant, Scope, Violation

MOST_SHOWN = 20

_JOBS_AT_ONCE = 5000
_BATCHES_AT_ONCE = 100
_BODIES_AT_ONCE = 1000
_BYTES_AT_ONCE = 8_000_000

_BODIES = "bodies_are_as_they_came"
_TEXTS = "results_are_what_was_sent"

OF_BODIES: Mapping[str, str] = {
    _BODIES: "A kept body has the SHA-256 that was taken when it came.",
    _TEXTS: "The text of a result is what its source says, read again.",
}
"""What takes every kept body to be seen: the promises by their names."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the look for one invariant came to: up to 20 rows that break it, so none if it holds."""

    name: str
    promise: str
    violations: tuple[Violation, ...]


def examine(runtime: Runtime, batch_id: UUID | None = None, *, with_bodies: bool = False) -> tuple[Finding, ...]:
    """Every invariant, in one batch or in all that there are; `with_bodies` reads every kept body again.

    Each statement sees one moment, no transaction outlasts a few thousand jobs, and nothing is locked.

    Raises:
        DatabaseUnavailable: it can't be looked at.
    """
    missed_before = runtime.moment().now - timedelta(seconds=2 * runtime.settings.sweep_seconds)
    found: dict[str, list[Violation]] = defaultdict(list)
    for pack in _packs(_batches(runtime, batch_id)):
        scope = Scope(tuple(pack), missed_before)
        _look(runtime, invariants.BY_BATCH, scope, found)
        for part in _parts(scope, sum(pack.values())):
            _look(runtime, invariants.BY_JOB, part, found)
            for name, violation in _in_bodies(runtime, part) if with_bodies else ():
                found[name].append(violation)
    promises = {each.name: each.promise for each in invariants.ALL}
    promises.update(OF_BODIES if with_bodies else {})
    return tuple(Finding(name, promise, tuple(found[name][:MOST_SHOWN])) for name, promise in promises.items())


def _batches(runtime: Runtime, batch_id: UUID | None) -> Iterator[tuple[UUID, int]]:
    """The batches, or the one, each with the number of its jobs."""
    after = None
    while batch_id is None:
        with runtime.database.reading() as connection:
            rows = invariants.next_batches(connection, after, _BATCHES_AT_ONCE)
        yield from ((row.id, row.total) for row in rows)
        if len(rows) < _BATCHES_AT_ONCE:
            return
        after = rows[-1].id
    with runtime.database.reading() as connection:
        batch = batches.get(connection, None, batch_id)
    if batch is not None:
        yield batch.id, batch.total


def _packs(found: Iterable[tuple[UUID, int]]) -> Iterator[dict[UUID, int]]:
    """Small batches together, as many as are quickly looked through; a large one alone."""
    pack: dict[UUID, int] = {}
    for batch_id, total in found:
        if pack and (len(pack) == _BATCHES_AT_ONCE or sum(pack.values()) + total > _JOBS_AT_ONCE):
            yield pack
            pack = {}
        pack[batch_id] = total
    if pack:
        yield pack


def _parts(scope: Scope, total: int) -> Iterator[Scope]:
    """The scope in parts of a few thousand jobs; the last takes whatever lies behind."""
    if len(scope.batch_ids) > 1 or total <= _JOBS_AT_ONCE:
        yield scope
        return
    for first in range(0, total, _JOBS_AT_ONCE):
        last = first + _JOBS_AT_ONCE - 1
        yield replace(scope, first=first, last=last if last < total - 1 else LAST_POSITION)


def _look(runtime: Runtime, wanted: Sequence[Invariant], scope: Scope, found: dict[str, list[Violation]]) -> None:
    with runtime.database.reading() as connection:
        for invariant in wanted:
            room = MOST_SHOWN - len(found[invariant.name])
            if room > 0:
                found[invariant.name] += invariants.violations(connection, invariant, scope, room)


def _in_bodies(runtime: Runtime, scope: Scope) -> Iterator[tuple[str, Violation]]:
    """What breaks `OF_BODIES`, each with its name."""
    with runtime.database.reading() as connection:
        sizes = bodies.sizes(connection, scope)
    for group in _groups(sizes):
        with runtime.database.reading() as connection:
            rows = bodies.read(connection, group)
        for row in rows:
            if hashlib.sha256(row.body).hexdigest() != row.sha256:
                fault = "it does not have the hash under which it was kept"
                yield _BODIES, Violation("callback", row.id, row.batch_id, fault)
            elif row.job_id is not None and not _says(runtime, row.provider, row.body, row.text):
                yield _TEXTS, Violation("job", row.job_id, row.batch_id, "its text is not what its source says")


def _says(runtime: Runtime, provider: str, body: bytes, text: str) -> bool:
    """Whether a body has this text; also if nobody can tell: its provider is gone, or only another version reads it.

    What an operator wrote is its own text.
    """
    if provider == OPERATOR:
        return body.decode(errors="replace") == text
    reader = runtime.providers.get(provider)
    reading = reader.read(body) if reader else None
    if isinstance(reading, Answer):
        return reading.text == text
    return reading is None or (isinstance(reading, Failure) and reading.code == NOT_RECOGNISED)


def _groups(sizes: Iterable[tuple[UUID, int]]) -> Iterator[list[UUID]]:
    """Bodies as many at a time as may be held in memory; at least one."""
    group: list[UUID] = []
    held = 0
    for callback_id, size in sizes:
        if group and (held + size > _BYTES_AT_ONCE or len(group) == _BODIES_AT_ONCE):
            yield group
            group, held = [], 0
        group.append(callback_id)
        held += size
    if group:
        yield group
