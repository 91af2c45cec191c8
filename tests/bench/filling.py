"""Fills a database: a few real jobs, copied inside the database until there are as many as are wanted.

200 batches, one of them with half of the jobs. 5,000 jobs of a million are open, half of them in the large batch,
half in the newest ones; the open ones are queued and waiting by turns, all others completed. The figures of the large
batch are as many transactions left them between two sweeps.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Table, delete, text, update

from app.clock import now
from app.ids import show
from app.models import (
    FIGURES,
    IN_VAIN,
    PAYING_AGAIN,
    TOKENS,
    attempts,
    batch_figures,
    batches,
    callbacks,
    job_inputs,
    job_results,
    jobs,
)
from app.providers.base import Accepted
from app.runtime import Runtime
from app.services import callbacks as callback_service
from app.services import claims, creation, outcomes
from app.services.claims import Claim, Sent
from app.services.views import NewBatch, NewJob
from app.states import JobState
from app.tokens import CallbackSubject
from tests.bench import bodies

OWNER = "bench"
TASK = "task-of-the-benchmark"
BATCHES = 200
OPEN_SHARE = 200
"""One of so many jobs is open."""

FRESH = 1000
"""So many transactions have moved jobs of the large batch since the last sweep."""

_ID = "('01900000-0000-7000-8000-' || lpad(to_hex({}::bigint), 12, '0'))::uuid"
_DUE = "t.due_at + g * interval '1 millisecond'"


@dataclass(frozen=True, slots=True)
class Filled:
    """What is in there."""

    jobs: int
    large_batch: UUID
    middle_batch: UUID
    some_job: UUID


def fill(runtime: Runtime, number: int) -> Filled:
    """Bring an empty, migrated database to so many jobs, and its statistics up to date."""
    completed, waiting, queued = _templates(runtime)
    opened = number // OPEN_SHARE // 2
    with runtime.database.transaction() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        _copy_batches(connection, completed, waiting, number, opened)
        for first, last in ((0, number // 2), (number // 2, number)):
            _copy_jobs(connection, completed, number, f"g > {first} AND g <= {last - opened}")
            recent = f"g > {last - opened} AND g <= {last}"
            _copy_jobs(connection, waiting, number, f"{recent} AND g % 2 = 0")
            _copy_jobs(connection, queued, number, f"{recent} AND g % 2 = 1")
        _keep_figures(connection)
    _tidy_up(runtime)
    return Filled(number, _id(1), _id(BATCHES // 2), _id(number // 3))


def open_all(runtime: Runtime, filled: Filled) -> None:
    """Have every job of the large batch open: what was completed is queued, behind all that was queued before."""
    queued = update(jobs).where(jobs.c.batch_id == filled.large_batch, jobs.c.state == JobState.COMPLETED)
    with runtime.database.transaction() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(queued.values(state=JobState.QUEUED, due_at=now(), finished_at=None))
        connection.execute(delete(batch_figures))
        _keep_figures(connection)
    _tidy_up(runtime)


def callbacks_to_come(runtime: Runtime, filled: Filled) -> Iterator[tuple[str, bytes]]:
    """Token and body for each waiting job of the large batch."""
    half = filled.jobs // 2
    for number in range(half - half % 2, half - filled.jobs // OPEN_SHARE // 2, -2):
        token = runtime.signer.sign(CallbackSubject(filled.large_batch, _id(number)))
        yield token, bodies.result(f"{TASK}{number}", show("job", _id(number)))


def _tidy_up(runtime: Runtime) -> None:
    with runtime.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))


def _id(number: int) -> UUID:
    return UUID(f"01900000-0000-7000-8000-{number:012x}")


# --- one real job of each kind ---


def _templates(runtime: Runtime) -> tuple[UUID, UUID, UUID]:
    """The batches of a completed, a waiting and a queued job, each alone in it."""
    completed = _submitted(runtime)
    token = completed.submission.callback_url.rpartition("/")[2]
    callback_service.receive(runtime, token, bodies.result(TASK, completed.submission.metadata))
    waiting = _submitted(runtime)
    return _batch_of(runtime, completed), _batch_of(runtime, waiting), _created(runtime)


def _created(runtime: Runtime) -> UUID:
    job = bodies.job(0)
    new = NewJob("job", str(job["text_data"])[:200], {"max_tokens": 64})
    return creation.create(runtime, NewBatch(owner=OWNER), [new]).batch.id


def _submitted(runtime: Runtime) -> Claim:
    _created(runtime)
    (claimed,) = claims.claim(runtime, "hive_v2", 1, is_idle=True)
    outcomes.record(runtime, [Sent(claimed, now(), Accepted(TASK, 200))])
    return claimed


def _batch_of(runtime: Runtime, claimed: Claim) -> UUID:
    subject = runtime.signer.verify(claimed.submission.callback_url.rpartition("/")[2])
    assert subject is not None
    return subject.batch_id


# --- many copies of it ---


def _copy_batches(connection: Connection, completed: UUID, waiting: UUID, number: int, opened: int) -> None:
    """Batch 1 is the large one. It is open, and so are the newest."""
    last_closed = _batch_number(number - opened, number) - 1
    total = f"CASE g WHEN 1 THEN {number // 2} ELSE {number // 2 // (BATCHES - 1)} END"
    changed = {"id": _ID.format("g"), "total": total}
    everything = f"generate_series(1, {BATCHES}) g"
    _copy(connection, batches, completed, everything, f"g BETWEEN 2 AND {last_closed}", changed)
    _copy(connection, batches, waiting, everything, f"NOT g BETWEEN 2 AND {last_closed}", changed)


def _keep_figures(connection: Connection) -> None:
    """One row a batch, and of the large one as many as a busy time leaves, which add up to nothing."""
    by_state = ", ".join(f"count(*) FILTER (WHERE j.state = '{state}')" for state in JobState)
    names = ", ".join((*FIGURES, *TOKENS))
    insert_figures = f"INSERT INTO batch_figures (batch_id, id, is_folded, {names}) "
    nothing = ", ".join("0" for _ in (*IN_VAIN, "late", "repeats", *PAYING_AGAIN, *TOKENS))
    counted = f"{by_state}, count(a.id), count(DISTINCT a.job_id), coalesce(sum(a.cost_nano), 0), {nothing}"
    connection.execute(
        text(
            f"{insert_figures} SELECT j.batch_id, j.batch_id, true, {counted} "  # noqa: S608 - our own expressions
            "FROM jobs j LEFT JOIN attempts a ON a.job_id = j.id GROUP BY j.batch_id"
        )
    )
    changes = ", ".join("CASE g % 2 WHEN 0 THEN 1 ELSE -1 END" for _ in (*FIGURES, *TOKENS))
    fresh = f"SELECT {_ID.format(1)}, {_ID.format('g')}, false, {changes} FROM generate_series(2, {FRESH + 1}) g"  # noqa: S608 - as above
    connection.execute(text(insert_figures + fresh))


def _batch_number(job: int, number: int) -> int:
    """Which batch a job is in; `_BATCH` says the same in SQL."""
    half = number // 2
    return 1 if job <= half else 2 + (job - half - 1) * (BATCHES - 1) // (number - half)


def _copy_jobs(connection: Connection, template: UUID, number: int, which: str) -> None:
    half = number // 2
    batch = f"CASE WHEN g <= {half} THEN 1 ELSE 2 + (g - {half} - 1) * {BATCHES - 1} / {number - half} END"
    own, of_batch = _ID.format("g"), _ID.format(batch)
    attempt = "CASE WHEN t.current_attempt_id IS NOT NULL THEN " + own + " END"
    series = f"generate_series(1::bigint, {number}) g"
    job = {"id": own, "batch_id": of_batch, "position": "g", "custom_id": "'job-' || g", "due_at": _DUE}
    _copy(connection, jobs, template, series, which, job | {"current_attempt_id": attempt})
    in_job = "t.job_id IN (SELECT id FROM jobs WHERE batch_id = :template)"
    _copy(connection, job_inputs, template, series, which, {"job_id": own}, in_job)
    of_attempt = {"id": own, "job_id": own, "provider_task_id": "t.provider_task_id || g"}
    _copy(connection, attempts, template, series, which, of_attempt, in_job)
    body = {"id": own, "attempt_id": own, "job_id": own, "batch_id": of_batch}
    _copy(connection, callbacks, template, series, which, body)
    result = {"job_id": own, "attempt_id": own, "callback_id": own}
    _copy(connection, job_results, template, series, which, result, in_job)


def _copy(
    connection: Connection,
    table: Table,
    template: UUID,
    series: str,
    which: str,
    changed: Mapping[str, str],
    chosen: str = "",
) -> None:
    """As many copies of the template's row as `which` picks of the series, with these columns changed."""
    names = [column.name for column in table.columns]
    columns = ", ".join(changed.get(name, f"t.{name}") for name in names)
    chosen = chosen or ("t.id = :template" if table is batches else "t.batch_id = :template")
    statement = (
        f"INSERT INTO {table.name} ({', '.join(names)}) "  # noqa: S608 - names of columns, and our own expressions
        f"SELECT {columns} FROM {table.name} t CROSS JOIN {series} WHERE ({which}) AND {chosen}"
    )
    connection.execute(text(statement), {"template": template})
