"""The orders in which lists of jobs are read: each is that of an index."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Select, literal, select, tuple_

from app.ids import lowest
from app.models import CLAIMED_JOB_STATES, each_literally, jobs, literally
from app.states import OPEN_JOB_STATES, JobState
from app.store import paging

ENDED = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)
DESCENDING = frozenset({"ended", "newest"})
DATED = frozenset({"ended", "due"})
_BEHIND_ALL = UUID(int=2**128 - 1)

Order = Literal["batch", "ended", "due", "newest"]
Span = tuple[datetime | None, datetime | None]
Place = tuple[Any, UUID]
"""Where a page ends: what it is ordered by, and the id of its last job."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs are meant; what is empty leaves all of them.

    `ids`: none but these. `error_code` is that of failed jobs, or of the last attempt of others. `sent_before`: beside
    `states`, jobs that wait for a callback since before then, by provider. Both ends of a span may be None; its
    beginning is part of it, its end is not. `providers` are those that jobs may be queued for.
    """

    batch_id: UUID | None = None
    ids: tuple[UUID, ...] | None = None
    states: tuple[JobState, ...] = ()
    error_code: str | None = None
    min_attempts: int = 0
    created: Span = (None, None)
    finished: Span = (None, None)
    sent_before: Mapping[str, datetime] | None = None
    providers: tuple[str, ...] = ()

    @property
    def all_states(self) -> tuple[JobState, ...]:
        """The states that a wanted job may be in; none: any."""
        overdue = () if self.sent_before is None else (JobState.WAITING,)
        return tuple(dict.fromkeys((*self.states, *overdue)))

    @property
    def order(self) -> Order:
        """What decides about the order: that of an index which knows most of what is asked for."""
        if self.ids is not None:
            return "newest"
        if self.batch_id is not None:
            return "batch"
        states = set(self.all_states)
        if states:
            return "due" if states <= {*OPEN_JOB_STATES} else "ended" if states <= {*ENDED} else "newest"
        return "ended" if any(self.finished) or self.error_code is not None else "newest"


def in_order(order: Order, *columns: Any) -> list[Any]:
    """These columns as they are ordered by."""
    return [column.desc() if order in DESCENDING else column.asc() for column in columns]


def _of_batch(wanted: Wanted, after: Place | None) -> Iterator[Select[Any]]:
    """In input order."""
    batch_id, behind = cast("UUID", wanted.batch_id), -1 if after is None else after[0]
    columns = (jobs.c.id, jobs.c.position.label("key"))
    for state in wanted.all_states:
        yield paging.in_state(batch_id, state, behind).with_only_columns(*columns)
    if not wanted.all_states:
        in_batch = select(*columns).where(jobs.c.batch_id == batch_id, jobs.c.position > behind)
        yield in_batch.order_by(jobs.c.position)


def _ended(wanted: Wanted, after: Place | None) -> Iterator[Select[Any]]:
    """Those that ended last first."""
    at = jobs.c.finished_at
    span = (at.is_not(None), *within(at, wanted.finished))
    if wanted.error_code is not None:
        yield _part("ended", at, after, jobs.c.state == literally(JobState.FAILED), has_error(wanted), *span)
        return
    for state in wanted.states or ENDED:
        yield _part("ended", at, after, jobs.c.state == literally(state), *span)


def _due(wanted: Wanted, after: Place | None) -> Iterator[Select[Any]]:
    """Those whose alarm rings first, or has rung."""
    for state in wanted.all_states:
        if state is not JobState.QUEUED:
            claimed = jobs.c.state.in_(each_literally(CLAIMED_JOB_STATES))
            yield _part("due", jobs.c.due_at, after, claimed, jobs.c.state == state)
            continue
        for provider in wanted.providers:
            for suspect in (False, True):
                queued = (jobs.c.provider == provider, jobs.c.state == literally(state), jobs.c.suspect == suspect)
                yield _part("due", jobs.c.due_at, after, *queued)


def _newest(wanted: Wanted, after: Place | None) -> Iterator[Select[Any]]:
    """Those created last first, by their ids: these tell when they were made, so no other index is needed."""
    since, until = wanted.created
    before = _BEHIND_ALL if after is None else after[1]
    query = select(jobs.c.id, jobs.c.id.label("key")).where(jobs.c.id < before).order_by(jobs.c.id.desc())
    if wanted.ids is not None:
        query = query.where(jobs.c.id.in_(wanted.ids))
    if since is not None:
        query = query.where(jobs.c.id >= lowest(since))
    if until is not None:
        query = query.where(jobs.c.id < lowest(until))
    yield query


def _part(order: Order, key: ColumnElement[Any], after: Place | None, *conditions: ColumnElement[bool]) -> Select[Any]:
    """The jobs that meet these conditions, which are in one index in this order, behind a place."""
    query = select(jobs.c.id, key.label("key")).where(*conditions).order_by(*in_order(order, key, jobs.c.id))
    if after is None:
        return query
    place, last = tuple_(key, jobs.c.id), tuple_(literal(after[0], key.type), literal(after[1], jobs.c.id.type))
    return query.where(place < last if order in DESCENDING else place > last)


PARTS: Mapping[Order, Callable[[Wanted, Place | None], Iterator[Select[Any]]]] = {
    "batch": _of_batch,
    "ended": _ended,
    "due": _due,
    "newest": _newest,
}


def has_error(wanted: Wanted) -> ColumnElement[bool]:
    """That a job has the wanted error."""
    return jobs.c.error_code == wanted.error_code


def within(column: ColumnElement[datetime], span: Span) -> Iterator[ColumnElement[bool]]:
    """That an instant lies in a span."""
    since, until = span
    if since is not None:
        yield column >= since
    if until is not None:
        yield column < until
