"""What is looked for again and again is found by an index of what is open, however much was ever stored."""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Index, select, text

from app import store
from app.clock import now
from app.db import Connection, Database
from app.models import FIGURES, metadata
from app.models import jobs as job_table
from app.providers.base import Accepted
from app.runtime import Runtime
from app.services.callbacklists import TABS
from app.states import OPEN_JOB_STATES, DeliveryState, JobState
from app.store import (
    attempts,
    audit,
    batches,
    batchlists,
    batchpages,
    budgets,
    callbacklists,
    callbacks,
    deliveries,
    events,
    figures,
    filelists,
    files,
    invariants,
    joblists,
    jobs,
    latencies,
    limits,
    orphans,
    overviews,
    removal,
    resultfiles,
    results,
    search,
    usage,
    waiting,
)
from app.store.invariants import Scope
from app.store.joborders import ENDED, Place, Wanted
from tests.factories import PROVIDER, record, submit, take
from tests.statements import emitting


def _where(index: Index) -> str:
    """The condition of a partial index."""
    return str(index.dialect_options["sqlite"]["where"])


FINISHED_JOBS = """
    INSERT INTO jobs (id, batch_id, position, custom_id, provider, state, attempts, last_number, max_attempts, suspect,
        created_at, finished_at)
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20000)
    SELECT fresh_id, id, 1000 + n, 'more-' || n, provider, 'completed', 1, 1, 3, false, created_at, created_at
    FROM numbers, batches
"""
THEIR_ATTEMPTS = """
    INSERT INTO attempts (id, job_id, number, provider, state, created_at, had_more_time)
    SELECT fresh_id, id, 1, provider, 'completed', created_at, false FROM jobs WHERE state = 'completed'
"""
THEIR_CALLBACKS = """
    INSERT INTO callbacks (id, attempt_id, job_id, batch_id, provider, source, received_at, last_received_at, body,
        sha256, times, outcome)
    SELECT a.id, a.id, j.id, j.batch_id, j.provider, 'callback', j.created_at, j.created_at, '', 'x', 1, 'applied'
    FROM jobs j JOIN attempts a ON a.job_id = j.id WHERE j.state = 'completed'
"""
FINISHED_BATCHES = """
    INSERT INTO batches (id, owner, provider, options, metadata, total, max_attempts, round, created_at,
        lifetime_seconds, expires_at, finalized_at, line_errors)
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000)
    SELECT fresh_id, owner, provider, options, metadata, total, max_attempts, round, created_at,
        lifetime_seconds, expires_at, created_at, line_errors
    FROM numbers, batches
"""
THEIR_FIGURES = f"""
    INSERT INTO batch_figures (batch_id, id, is_folded, {", ".join(FIGURES)})
    SELECT id, id, true, {", ".join("0" for _ in FIGURES)} FROM batches WHERE finalized_at IS NOT NULL
"""  # noqa: S608 - the names of our columns
THEIR_EVENTS = """
    INSERT INTO webhook_events (id, owner, type, batch_id, round, occasion, data, created_at)
    SELECT fresh_id, owner, 'batch.completed', id, round, '', '{}', created_at FROM batches
    WHERE finalized_at IS NOT NULL
"""
AN_ENDPOINT = """
    INSERT INTO webhook_endpoints (id, owner, name, url, event_types, of_named_batches, secret, created_at, updated_at)
    SELECT id, owner, '', 'x', '[]', false, 'x', created_at, created_at FROM batches WHERE finalized_at IS NULL
"""
DELIVERED = """
    INSERT INTO webhook_deliveries (id, event_id, endpoint_id, state, tries, step, created_at, finished_at)
    SELECT fresh_id, e.id, w.id, 'delivered', 1, 1, e.created_at, e.created_at
    FROM webhook_events e, webhook_endpoints w
"""
THEIR_TRIES = """
    INSERT INTO webhook_tries (delivery_id, number, started_at, url)
    SELECT id, 1, created_at, 'x' FROM webhook_deliveries
"""
FILES = """
    INSERT INTO files (id, owner, filename, purpose, bytes, created_at)
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000)
    SELECT fresh_id, 'somebody-' || (n / 50), 'x', 'batch', 0, created_at FROM numbers, batches
    WHERE finalized_at IS NULL
"""
THEIR_PIECES = """
    INSERT INTO file_pieces (file_id, number, content) SELECT id, 0, '' FROM files
"""
AUDITED = """
    INSERT INTO audit_events (id, at, actor, action, subject, details)
    SELECT fresh_id, created_at, owner, 'batch.cancel', fresh_id, '{}' FROM batches
"""
WEBHOOKS = ("webhook_events", "webhook_deliveries", "webhook_tries")
LARGE = ("jobs", "attempts", "callbacks", "batches", "batch_figures", "files", "file_pieces", "audit_events", *WEBHOOKS)
"""The tables that grow with what was ever done, of those that are filled here."""
SHARED_OUT = """
    UPDATE jobs SET batch_id = (
        SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM batches) AS numbered
        WHERE n = 1 + (position - 1001) / 10
    ) WHERE position > 1000
"""
THEIR_CALLBACKS_TOO = """
    UPDATE callbacks SET batch_id = (SELECT batch_id FROM jobs WHERE jobs.id = callbacks.job_id)
"""
_OF_FEW = "|".join(
    (
        "state",
        "NOT is_folded",
        "finalized_at IS NULL",
        "outcome = 'orphan'",
        "removed_at IS NOT NULL",
        "forget_at",
        "bytes IS NULL",
        "expires_at IS NOT NULL",
    )
)
OF_WHAT_IS_OPEN = {
    index.name for table in metadata.sorted_tables for index in table.indexes if re.search(_OF_FEW, _where(index))
}
"""The indexes that are as small as the work that is under way: reading one from end to end is no scan."""

OTHERS = [UUID(int=number) for number in range(1, 20)]
"""What a page of batches shows beside one: never the same twice, else the planner expects its rows that often."""

NEARLY_THE_LAST = UUID(int=2**128 - 2**118)
"""An id that one of a thousand is behind: those of what fills the tables here are random."""

Emitted = Sequence[tuple[str, Any]]


@pytest.fixture(autouse=True)
def sound() -> None:
    """What fills the tables here hangs together no better than plans need it to."""


@pytest.fixture
def batch_id(runtime: Runtime) -> UUID:
    """A batch with 50 open jobs (30 queued, 10 claimed, 10 waiting) among many that are finished."""
    found = submit(runtime, *["x"] * 50)
    for number, claimed in enumerate(take(runtime, 20)):
        if number % 2:
            record(runtime, claimed, Accepted(f"task-{number}", 200))
    _finish_many(runtime.database)
    return found


def _finish_many(database: Database) -> None:
    _fill(database, FINISHED_JOBS, THEIR_ATTEMPTS, THEIR_CALLBACKS, FINISHED_BATCHES, THEIR_FIGURES)
    _fill(database, THEIR_EVENTS, AN_ENDPOINT, DELIVERED, THEIR_TRIES, FILES, THEIR_PIECES, AUDITED)


def _fill(database: Database, *statements: str) -> None:
    fresh_id = "lower(hex(randomblob(16)))" if database.is_sqlite else "gen_random_uuid()"
    with database.transaction() as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")  # a busy machine takes its time
        for statement in statements:
            connection.exec_driver_sql(statement.replace("fresh_id", fresh_id))
    _analyze(database)


def _analyze(database: Database) -> None:
    if not database.is_sqlite:  # which nobody asks to in production
        with database.transaction() as connection:
            connection.exec_driver_sql(f"ANALYZE {', '.join(LARGE)}")


def looks(batch_id: UUID) -> dict[str, Callable[[Connection], object]]:
    """What every claim, every sweep and every callback asks."""
    claimable = partial(jobs.claimable, provider=PROVIDER, now=now(), limit=10, eligible=jobs.Eligible())
    older, unheld = jobs.Eligible(created_by=now()), jobs.Eligible([UUID(int=1)])
    falling = jobs.Eligible(fallback="second")
    return {
        "standing": lambda connection: limits.standing(connection, PROVIDER, now()),
        "claimable of older batches": lambda connection: claimable(connection, eligible=older, suspect=False),
        "waiting long": lambda connection: attempts.is_any_waiting_since(connection, PROVIDER, now()),
        "claimed too long": lambda connection: jobs.overdue(connection, JobState.SUBMITTING, now(), 500),
        "overdue": lambda connection: jobs.overdue(connection, JobState.WAITING, now(), 500),
        "next alarm": jobs.next_alarm,
        "next claim": lambda connection: jobs.next_claim(connection, PROVIDER),
        "claimable": lambda connection: claimable(connection, suspect=False),
        "claimable suspects": lambda connection: claimable(connection, suspect=True),
        "claimable beside a hold": lambda connection: claimable(connection, eligible=unheld, suspect=False),
        "claimable for another": lambda connection: claimable(connection, eligible=falling, suspect=False),
        "falling back": lambda connection: batches.falling_back_on(connection, PROVIDER),
        "has open jobs": lambda connection: batches.has_open_jobs(connection, batch_id),
        "open in batch": lambda connection: jobs.open_in_batch(connection, batch_id, 500),
        "expired": lambda connection: batches.expired(connection, now()),
        "cancelling": batches.cancelling,
        "what a batch waits for": lambda connection: waiting.of_batch(connection, batch_id, now()),
        "what of it is overdue": lambda connection: waiting.of_batch(connection, batch_id, now(), sent_before=now()),
        "whether any batch is open": batches.any_open,
        "what a batch's answers took": lambda connection: usage.kept(connection, batch_id),
        "orphans that are due": lambda connection: orphans.due(connection, now(), 100),
        "orphans": lambda connection: orphans.page(connection, None, 100),
        "bodies without a token": lambda connection: orphans.unproven(connection, 1000),
        "the same body without a token": lambda connection: orphans.is_known(connection, batch_id, "y"),
        "what a job waits for": lambda connection: waiting.of_job(connection, UUID(int=7), now()),
        "overdue in batches": lambda connection: waiting.overdue(connection, [batch_id, *OTHERS], now()),
        "when they were sent": lambda connection: attempts.sent_at(connection, OTHERS),
        "callbacks since": lambda connection: latencies.newest(connection, NEARLY_THE_LAST, 250),
        "their submits": lambda connection: latencies.submits(connection, OTHERS),
        "all that is queued": lambda connection: latencies.queued(connection, PROVIDER, now(), [UUID(int=1)]),
        "all open jobs": overviews.open_jobs,
        "what is in flight": lambda connection: overviews.in_flight(connection, PROVIDER),
        "the last callbacks": lambda connection: overviews.last_callbacks(connection, now()),
        "what failed lately": lambda connection: overviews.failures(connection, now(), 1000),
        "why jobs of a batch failed": lambda connection: batchpages.failures(connection, batch_id, 5000),
        "how long answers of a batch took": lambda connection: batchpages.latencies(connection, batch_id, 1000),
        "before in line": lambda connection: waiting.before(connection, PROVIDER, now(), UUID(int=1), 1000),
        "budgets": budgets.spent,
        "moved lately": lambda connection: figures.not_folded(connection, 100),
        "figures": lambda connection: figures.of_batches(connection, [batch_id, *OTHERS]),
        "fold": lambda connection: figures.fold(connection, [batch_id]),
        "finished": lambda connection: removal.finished_by(connection, now(), 10),
        "marked": lambda connection: removal.marked(connection, 10),
        "removal": lambda connection: removal.remove_jobs(connection, batch_id, 500),
        "batches": lambda connection: batches.page(connection, None, batch_id, 25),
        "batches by status": lambda connection: batchlists.look(
            connection, batchlists.Wanted(["expired"]), NEARLY_THE_LAST, 25
        ),
        "open batches": lambda connection: batchlists.look(connection, batchlists.Wanted(["paused"]), None, 25),
        "open batches of an owner": lambda connection: batchlists.look(
            connection, batchlists.Wanted(["in_progress"], "alice", "x"), None, 25
        ),
        "newer batches": lambda connection: batchlists.newer(connection, batchlists.Wanted(), NEARLY_THE_LAST, 100),
        "batches of an owner": lambda connection: batches.page(connection, "alice", batch_id, 25),
        "callbacks of a job": lambda connection: callbacks.of_job(connection, UUID(int=7)),
        "page": lambda connection: jobs.page(connection, batch_id, [], None, 100, 50),
        "page of a state": lambda connection: jobs.page(connection, batch_id, [JobState.COMPLETED], None, 100, 50),
        "page of states": lambda connection: jobs.page(connection, batch_id, list(OPEN_JOB_STATES), None, 100, 50),
        "page of overdue": lambda connection: jobs.page(
            connection, batch_id, [JobState.FAILED], None, 100, 50, sent_before=now()
        ),
        "overdue job by name": lambda connection: jobs.page(
            connection, batch_id, [], "more-7", -1, 50, sent_before=now()
        ),
        "answers of states": lambda connection: results.page(connection, batch_id, list(OPEN_JOB_STATES), 100, 50),
        "job by name": lambda connection: jobs.page(connection, batch_id, [], "more-7", -1, 50),
        **{
            f"callbacks: {tab}": lambda connection, outcomes=outcomes: callbacklists.newest(
                connection, outcomes, NEARLY_THE_LAST, 50
            )
            for tab, outcomes in TABS.items()
        },
        "a page of callbacks": lambda connection: callbacklists.rows(connection, OTHERS),
        "jobs by name": lambda connection: search.named(connection, "more-7", batch_id),
        "jobs by task": lambda connection: search.of_task(connection, "task-7", 50),
        "webhooks that are due": lambda connection: deliveries.due(connection, now(), 4),
        "the next webhook": lambda connection: deliveries.claim(connection, now(), OTHERS[:2], now()),
        "webhooks that are put off": lambda connection: deliveries.put_off(connection, UUID(int=1), now()),
        "webhooks that are given up": lambda connection: deliveries.give_up(connection, UUID(int=1), now()),
        "webhooks to an endpoint": lambda connection: deliveries.page(connection, batch_id, None, NEARLY_THE_LAST, 50),
        "webhooks that failed": lambda connection: deliveries.page(
            connection, batch_id, DeliveryState.FAILED, NEARLY_THE_LAST, 50
        ),
        "webhooks that failed lately": lambda connection: deliveries.failed_since(connection, batch_id, now(), 500),
        "what an endpoint waits for": lambda connection: deliveries.outlook(connection, batch_id, 1000),
        "audit": lambda connection: audit.page(connection, {}, NEARLY_THE_LAST, 50),
        "what somebody did": lambda connection: audit.page(connection, {"actor": "bob"}, NEARLY_THE_LAST, 50),
        "who did that": lambda connection: audit.page(connection, {"action": "key.create"}, NEARLY_THE_LAST, 50),
        "what was done to it": lambda connection: audit.page(connection, {"subject": "x"}, NEARLY_THE_LAST, 50),
        "who did that to it": lambda connection: audit.page(
            connection, {"actor": "bob", "action": "key.create", "subject": "x"}, NEARLY_THE_LAST, 50
        ),
        "what need not be kept of webhooks": lambda connection: events.forgettable(connection, now(), 100),
        "what was told of a batch": lambda connection: events.forget_of_batch(connection, UUID(int=1), now()),
        "file": lambda connection: files.get(connection, "somebody-7", UUID(int=7), now()),
        "piece of a file": lambda connection: files.piece(connection, UUID(int=7), 3),
        "files that are to go": lambda connection: files.outlived(connection, now(), now(), 10),
        "files that are marked": lambda connection: files.removed(connection, 10),
        "their pieces": lambda connection: files.remove_pieces(connection, UUID(int=7), 8),
        "job by id": lambda connection: jobs.get(connection, "alice", UUID(int=7)),
    }


BY_ITS_KEY = "rows by their primary or unique keys, as many as are asked for"
IS_SMALL = "a table that stays small: a row a provider, key, endpoint, worker, hold or minute"
OF_ALL = "it is asked for seldom, by somebody who wants all of it, or a part at a time"
BACKWARDS = "it goes back from the newest until it has found enough, however far that is"
ELSEWHERE = "tests of this module look at its plan, by way of another function"

NOT_LOOKED_AT = {
    BY_ITS_KEY: """attempts.of_jobs attempts.of_task attempts.owner attempts.rows_of_job batches.by_idempotency_key
        batches.get batches.lock bodies.read bodies.sizes callbacks.mark_applied callbacks.of_jobs deliveries.tries_of
        events.remove inputs.of_jobs jobs.batches_of jobs.lock jobs.lock_by_attempt jobs.named jobs.peek orphans.whole
        callbacklists.whole
        removal.lock removal.removed results.get keys.by_hash keys.lock endpoints.get
        endpoints.lock endpoints.of_url""",
    IS_SMALL: """breakers.has_tripped breakers.lock endpoints.count endpoints.disabled endpoints.listening
        endpoints.page holds.get holds.on_batches holds.standing keys.listing keys.page latencies.get latencies.going
        limits.full limits.get limits.lock schema.clock throughput.since workers.listing""",
    OF_ALL: """callbacks.newest events.missing events.untold figures.compared figures.in_all
        jobs.batches_with_failed jobs.failed_with jobs.in_states manifests.page tallies.next_outcomes tallies.outcomes
        tallies.spent invariants.next_batches""",
    BACKWARDS: "attempts.newest_accepted",
    ELSEWHERE: "attempts.counting_in_flight paging.in_state paging.positions",
}
"""What reads and is not in `looks`, by why it need not be."""

FEW = 20
"""So many of these few jobs are worth an index; so are as many more of more jobs."""

HOUR = (now() - timedelta(hours=1), now())


def lists(batch_id: UUID) -> dict[str, Wanted]:
    """What the page of jobs may be asked for, one of each kind."""
    failed, waits = (JobState.FAILED,), (JobState.WAITING,)
    providers = (PROVIDER, "second")
    of_one = Wanted(batch_id=batch_id)
    return {
        "of all": Wanted(),
        "that failed": Wanted(states=failed),
        "that ended": Wanted(states=ENDED),
        "that ended lately": Wanted(finished=HOUR),
        "that were created lately": Wanted(created=HOUR),
        "that failed of something": Wanted(error_code="timed_out"),
        "that failed of something at some time": Wanted(error_code="timed_out", created=HOUR, finished=HOUR),
        "that are open": Wanted(states=OPEN_JOB_STATES, providers=providers),
        "that are overdue": Wanted(sent_before={PROVIDER: now()}),
        "that are overdue or queued": Wanted(states=(JobState.QUEUED,), sent_before={}, providers=providers),
        "that wait or failed": Wanted(states=(*failed, *waits)),
        "that were tried often": Wanted(min_attempts=3),
        "by their ids": Wanted(ids=tuple(OTHERS), states=failed),
        "of a batch": of_one,
        "of a batch, that failed of something": replace(of_one, states=failed, error_code="x", min_attempts=2),
        "of a batch, that are overdue": replace(of_one, sent_before={PROVIDER: now()}),
    }


def _behind(wanted: Wanted) -> Place:
    """A place in the middle of a list."""
    keys = {"batch": 100, "newest": 0}
    return keys.get(wanted.order, now()), NEARLY_THE_LAST


def plans(database: Database, emitted: Emitted) -> str:
    """How the database would carry these out; PostgreSQL also with the plan that it keeps for any parameters."""
    lines: list[str] = []
    with database.reading() as connection:
        for statement, parameters in emitted:
            if database.is_sqlite:
                planned = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                lines += [row.detail for row in planned]
            else:
                lines += connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars()
                lines += _kept_plan(connection, statement)
    return "\n".join(lines)


def _kept_plan(connection: Connection, statement: str) -> Sequence[str]:
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
    numbered = re.sub(r"%\((\w+)\)s", lambda match: f"${names.index(match[1]) + 1}", statement)
    return connection.execute(text(f"EXPLAIN (GENERIC_PLAN) {_escaped(numbered)}")).scalars().all()


def _escaped(statement: str) -> str:
    return statement.replace(":", r"\:")


def scans(plan: str) -> list[str]:
    """The lines of a plan that read all of a large table."""
    found = re.findall(rf"Seq Scan on (?:{'|'.join(LARGE)})\b.*", plan)
    for line in re.findall(rf"SCAN (?:{'|'.join(LARGE)})\b.*", plan):
        index = re.search(r"INDEX (\w+)", line)
        if index is None or index[1] not in OF_WHAT_IS_OPEN:
            found.append(line)
    return found


def test_no_look_at_what_is_open_reads_what_is_finished(
    runtime: Runtime, batch_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LOOKED_AT", FEW)
    read_whole: dict[str, list[str]] = {}
    for name, look in looks(batch_id).items():
        with emitting(runtime.database) as emitted, runtime.database.transaction() as connection:
            look(connection)
        plan = plans(runtime.database, emitted)
        assert re.search("|".join(LARGE), plan), (name, plan)
        read_whole[name] = scans(plan)
    assert {name: found for name, found in read_whole.items() if found} == {}


def test_every_function_that_reads_is_looked_at_here_or_says_why_not() -> None:
    excused = [name for names in NOT_LOOKED_AT.values() for name in names.split()]
    here = Path(__file__).read_text()
    looked_at = {name for name in _reading() if len(re.findall(rf"\b{name}\b", here)) > excused.count(name)}
    assert set(_reading()) - looked_at == set(excused)


def _reading() -> Iterator[str]:
    """The public functions of the store that read, with the names of their modules."""
    for module in iter_modules(store.__path__):
        loaded = import_module(f"{store.__name__}.{module.name}")
        for name, function in inspect.getmembers(loaded, inspect.isfunction):
            is_own = function.__module__ == loaded.__name__ and not name.startswith("_")
            if is_own and "select(" in inspect.getsource(function):
                yield f"{module.name}.{name}"


def test_no_list_of_jobs_reads_all_jobs(runtime: Runtime, batch_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joblists, "LOOKED_AT", FEW)
    read_whole: dict[str, list[str]] = {}
    for name, wanted in lists(batch_id).items():
        with emitting(runtime.database) as emitted, runtime.database.reading() as connection:
            joblists.look(connection, wanted, None, FEW)
            joblists.look(connection, wanted, _behind(wanted), FEW)
            joblists.count(connection, wanted, FEW)
        read_whole[name] = scans(plans(runtime.database, emitted))
    assert {name: found for name, found in read_whole.items() if found} == {}


def test_a_look_that_reads_all_jobs_would_be_seen(runtime: Runtime, batch_id: UUID) -> None:
    by_the_way = select(job_table.c.due_at).where(job_table.c.state == "waiting")
    with emitting(runtime.database) as emitted, runtime.database.reading() as connection:
        connection.execute(by_the_way).all()
    assert scans(plans(runtime.database, emitted))


def test_a_look_through_one_batch_reads_no_other(runtime: Runtime, batch_id: UUID) -> None:
    _fill(runtime.database, SHARED_OUT, THEIR_CALLBACKS_TOO)
    scope = Scope((submit(runtime, "a", "b"),), now())
    asked: dict[str, Callable[[Connection], object]] = {
        each.name: partial(invariants.violations, invariant=each, scope=scope, limit=20) for each in invariants.ALL
    }
    read_whole: dict[str, list[str]] = {}
    for name, look in (asked | looks_at_one(batch_id)).items():
        with emitting(runtime.database) as emitted, runtime.database.reading() as connection:
            look(connection)
        read_whole[name] = scans(plans(runtime.database, emitted))
    assert {name: found for name, found in read_whole.items() if found} == {}


def looks_at_one(batch_id: UUID) -> dict[str, Callable[[Connection], object]]:
    """What result files are made of, and lists of files."""
    of_somebody = partial(filelists.page, owner="somebody-7", now=now(), purpose=None, after=None, limit=20)
    of_somebody = partial(of_somebody, is_ascending=False)
    done = [JobState.COMPLETED]
    return {
        "answers by their end": lambda connection: resultfiles.positions(connection, batch_id, done, now(), 100),
        "lines of answers": lambda connection: resultfiles.lines(connection, batch_id, done, [3, 1]),
        "files of an owner": of_somebody,
        "files of a purpose": lambda connection: of_somebody(connection, purpose="batch_output"),
        "files behind one": lambda connection: of_somebody(connection, after=(UUID(int=7), "output")),
        "usage": lambda connection: usage.kept(connection, batch_id),
        "usage of a version before": lambda connection: usage.counted(connection, batch_id),
        "their models": lambda connection: usage.models(connection, batch_id),
    }
