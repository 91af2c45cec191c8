"""Lists of jobs of all batches, by what is asked of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.db import Connection
from app.errors import NotFound
from app.ids import read as read_id
from app.runtime import Runtime
from app.services import expectations, places
from app.services.status import OVERDUE, job_views, read_states
from app.services.views import JobView
from app.states import JobState
from app.store import joblists, search
from app.store import jobs as job_rows
from app.store.joborders import Order, Wanted

Span = tuple[datetime | None, datetime | None]
"""From when on, and until when; None: always."""

LOOKED_AT = joblists.LOOKED_AT
COUNTED = 500
"""So many jobs are looked at to say how many a filter means."""

_LOOKS = 20  # at some hundred batches each, for a name
_MOST_OF_A_NAME = 200


@dataclass(frozen=True, slots=True)
class JobFilter:
    """What is asked of jobs; what is empty leaves all of them.

    `name`: a `custom_id`, a job's id or a task's; `ids`: none but these.
    """

    states: tuple[str, ...] = ()
    batch_id: UUID | None = None
    name: str | None = None
    error_code: str | None = None
    min_attempts: int = 0
    created: Span = (None, None)
    finished: Span = (None, None)
    ids: tuple[UUID, ...] | None = None


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job in a list, with the name of its batch, and the seconds from its last submit to its answer."""

    job: JobView
    batch_name: str | None
    latency_seconds: float | None


@dataclass(frozen=True, slots=True)
class JobList:
    """One page; `next_cursor` None: there is nothing behind it.

    `is_cut`: as many jobs as may be for one page were looked at before it was full; there may be more behind it.
    """

    items: tuple[JobRow, ...]
    next_cursor: str | None
    order: Order
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Matching:
    """How many jobs a filter means; `is_all` False: that is of the first `COUNTED`, and there may be more."""

    number: int
    is_all: bool


def listing(runtime: Runtime, asked: JobFilter, cursor: str | None, limit: int) -> JobList:
    """Up to `limit` jobs that are as asked.

    Raises:
        InvalidInput: an unknown state, or `cursor` is none of this list's.
    """
    with runtime.database.reading() as connection:
        wanted = wanted_by(runtime, connection, asked)
        found = joblists.look(connection, wanted, places.read(wanted.order, cursor), limit)
        jobs = job_views(runtime, connection, found.rows)
    items = tuple(
        JobRow(job, row.batch_name, _latency(job, row.sent_at)) for job, row in zip(jobs, found.rows, strict=True)
    )
    next_cursor = None if found.end is None else places.write(wanted.order, found.end)
    return JobList(items, next_cursor, wanted.order, is_cut=next_cursor is not None and len(items) < limit)


def again(runtime: Runtime, job_ids: Sequence[UUID]) -> tuple[JobRow, ...]:
    """These jobs as they are now, in this order; those that are gone are left out."""
    found = listing(runtime, JobFilter(ids=tuple(job_ids)), None, len(job_ids)).items
    rows = {row.job.id: row for row in found}
    return tuple(rows[job_id] for job_id in job_ids if job_id in rows)


def ids(runtime: Runtime, asked: JobFilter, cursor: str | None, limit: int) -> tuple[Sequence[UUID], str | None]:
    """As `listing`, but for the ids alone, and where to go on.

    Raises:
        InvalidInput: an unknown state, or `cursor` is none of this list's.
    """
    with runtime.database.reading() as connection:
        wanted = wanted_by(runtime, connection, asked)
        found = joblists.look(connection, wanted, places.read(wanted.order, cursor), limit)
    next_cursor = None if found.end is None else places.write(wanted.order, found.end)
    return [row.id for row in found.rows], next_cursor


def matching(runtime: Runtime, asked: JobFilter) -> Matching:
    """How many jobs are as asked.

    Raises:
        InvalidInput: an unknown state.
    """
    with runtime.database.reading() as connection:
        return Matching(*joblists.count(connection, wanted_by(runtime, connection, asked), COUNTED))


def wanted_by(runtime: Runtime, connection: Connection, asked: JobFilter) -> Wanted:
    """What is asked, in the words of the store. Raises InvalidInput: an unknown state."""
    states = read_states([state for state in asked.states if state != OVERDUE])
    return Wanted(
        batch_id=asked.batch_id,
        ids=asked.ids if asked.name is None else named(connection, asked.name, asked.batch_id),
        states=tuple(states),
        error_code=asked.error_code,
        min_attempts=asked.min_attempts,
        created=asked.created,
        finished=asked.finished,
        sent_before=_overdue_before(runtime, connection) if OVERDUE in asked.states else None,
        providers=tuple(runtime.settings.every_provider),
    )


def named(connection: Connection, name: str, batch_id: UUID | None = None) -> tuple[UUID, ...]:
    """The jobs that this may be a name of: the id of the job, that of a task of it, or its `custom_id`.

    Without a batch, names are looked for in the newest 10,000.
    """
    found = dict.fromkeys(_by_id(name))
    if not found:
        found |= dict.fromkeys(search.of_task(connection, name, _MOST_OF_A_NAME))
        found |= dict.fromkeys(_by_custom_id(connection, name, batch_id))
    return tuple(found)[:_MOST_OF_A_NAME]


def _by_id(name: str) -> Iterator[UUID]:
    try:
        yield read_id("job", name)
    except NotFound:
        return


def _by_custom_id(connection: Connection, name: str, batch_id: UUID | None) -> Iterator[UUID]:
    if batch_id is not None:
        yield from (row.id for row in job_rows.named(connection, batch_id, [name]).values())
        return
    before = None
    for _ in range(_LOOKS):
        found = search.named(connection, name, before)
        yield from found.job_ids
        before = found.before
        if before is None:
            return


def _overdue_before(runtime: Runtime, connection: Connection) -> Mapping[str, datetime]:
    """By provider, since when a callback must have been waited for to be overdue."""
    now = runtime.moment().now
    expected = expectations.of_providers(runtime, connection)
    return {provider: now - timedelta(seconds=each.usual) for provider, each in expected.items()}


def _latency(job: JobView, sent_at: datetime | None) -> float | None:
    if job.state != JobState.COMPLETED or job.finished_at is None or sent_at is None:
        return None
    return max(0.0, (job.finished_at - sent_at).total_seconds())
