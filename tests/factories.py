"""Arranges what tests start from, and reads back what they assert on: each helper is one service call."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from app.clock import now
from app.config import Settings
from app.db import Connection, Database
from app.errors import DatabaseUnavailable
from app.models import callbacks as callback_table
from app.providers.base import Accepted, Submission, SubmitOutcome
from app.runtime import Runtime
from app.services import callbacks, claims, creation, holds, inbox, status, submission, sweeps
from app.services.claims import Claim, Sent
from app.services.outcomes import record as write_down
from app.services.received import Received, read
from app.services.sweeps import Swept
from app.services.views import BatchView, HoldView, JobDetail, NewBatch, NewJob
from app.states import Outcome

PROVIDER = "hive_v2"


# --- what an owner does ---


def submit(
    runtime: Runtime,
    *texts: str,
    owner: str = "alice",
    max_attempts: int | None = None,
    expires_in_seconds: float | None = None,
) -> UUID:
    """A batch of these prompts with the custom ids `job-0`, `job-1` and so on; its id."""
    new = NewBatch(owner=owner, max_attempts=max_attempts, expires_in_seconds=expires_in_seconds)
    jobs = [NewJob(f"job-{number}", text, {}) for number, text in enumerate(texts)]
    return creation.create(runtime, new, jobs).batch.id


# --- what a worker does ---


def drain(runtime: Runtime) -> None:
    """Submit whatever can be submitted now."""
    submission.drain(runtime, PROVIDER)


def sweep(runtime: Runtime) -> Swept:
    """Look after every alarm that has rung."""
    return sweeps.sweep(runtime, "tests")


def take(runtime: Runtime, number: int = 100, *, is_idle: bool = True) -> Sequence[Claim]:
    """Claim up to this many jobs and do nothing more: what a worker leaves behind that dies before it sends."""
    return claims.claim(runtime, PROVIDER, number, is_idle=is_idle)


def take_one(runtime: Runtime) -> Claim:
    """Claim the one job that there is."""
    (claimed,) = take(runtime)
    return claimed


def record(runtime: Runtime, claimed: Claim, outcome: SubmitOutcome | None) -> None:
    """Write down what the provider said to this claim; None: it was not sent."""
    write_down(runtime, [Sent(claimed, now(), outcome)])


# --- what the provider does ---


def token_of(submitted: Submission) -> str:
    """The secret part of the URL that the provider was given."""
    return submitted.callback_url.rsplit("/", 1)[1]


def deliver(runtime: Runtime, submitted: Submission, body: bytes) -> None:
    """Call back; what follows from it is done when this returns."""
    callbacks.receive(runtime, token_of(submitted), body)
    runtime.callback_commits.wait_until_idle()


def deliver_together(runtime: Runtime, *delivered: tuple[Submission, bytes]) -> list[Outcome | None]:
    """Call back several times at once, in one group; what became of each body."""
    answers = inbox._keep_group(runtime, [_received(runtime, submitted, body) for submitted, body in delivered])
    kept = [one for one in answers if isinstance(one, inbox.Kept)]
    assert len(kept) == len(answers), answers
    inbox.follow_up(runtime, kept)
    return [one.outcome for one in kept]


def _received(runtime: Runtime, submitted: Submission, body: bytes) -> Received:
    subject = runtime.signer.verify(token_of(submitted))
    assert subject is not None
    return read(runtime, subject, PROVIDER, body)


def calling_back(
    runtime: Runtime, *bodies: bytes, then: SubmitOutcome | None = None
) -> Callable[[Submission], SubmitOutcome]:
    """A step for the fake provider's script: it calls back with these bodies before it answers the submit."""

    def step(submitted: Submission) -> SubmitOutcome:
        for body in bodies:
            deliver(runtime, submitted, body)
        return then or Accepted("task-1", 200)

    return step


# --- what can be seen afterwards ---


def job(runtime: Runtime, batch_id: UUID, custom_id: str = "job-0") -> JobDetail:
    """One job with its attempts, callbacks and answer."""
    (found,) = status.jobs(runtime, None, batch_id, custom_id=custom_id).items
    return status.job(runtime, None, found.id)


def batch(runtime: Runtime, batch_id: UUID) -> BatchView:
    """One batch."""
    return status.batch(runtime, None, batch_id)


def states(runtime: Runtime, batch_id: UUID) -> list[str]:
    """The states of a batch's jobs in input order."""
    return [each.state for each in status.jobs(runtime, None, batch_id, limit=10_000).items]


def counts(runtime: Runtime, batch_id: UUID) -> dict[str, int]:
    """How many jobs a batch has in each state that occurs."""
    return {state: number for state, number in batch(runtime, batch_id).counts.items() if number}


def attempt_states(detail: JobDetail) -> list[str]:
    """The states of a job's attempts, first to last."""
    return [attempt.state for attempt in detail.attempts]


def outcomes(detail: JobDetail) -> list[str]:
    """What became of each body that came for a job, first to last."""
    return [callback.outcome for callback in detail.callbacks]


def inbox_rows(runtime: Runtime) -> Sequence[Row[Any]]:
    """Everything that the inbox holds."""
    with runtime.database.reading() as connection:
        return connection.execute(select(callback_table).order_by(callback_table.c.received_at)).all()


def held(runtime: Runtime) -> Sequence[HoldView]:
    """What is held now."""
    return holds.listing(runtime)


# --- doubles and threads ---


class Interposed:
    """A database with something done before or after its n-th transaction (the next is 1), or before each commit."""

    def __init__(
        self,
        real: Database,
        before: Mapping[int, Callable[[], object]] | None = None,
        after: Mapping[int, Callable[[], object]] | None = None,
        before_commit: Callable[[], object] = lambda: None,
    ) -> None:
        self._real = real
        self._before = before or {}
        self._after = after or {}
        self._before_commit = before_commit
        self._begun = 0
        self.is_sqlite = real.is_sqlite

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self._begun += 1
        number = self._begun
        self._before.get(number, lambda: None)()
        with self._real.transaction() as connection:
            yield connection
            self._before_commit()
        self._after.get(number, lambda: None)()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self._real.reading() as connection:
            yield connection


def interposed(
    runtime: Runtime,
    before: Mapping[int, Callable[[], object]] | None = None,
    after: Mapping[int, Callable[[], object]] | None = None,
    before_commit: Callable[[], object] = lambda: None,
) -> Runtime:
    """`runtime` over a database that does something on the way."""
    database: Any = Interposed(runtime.database, before, after, before_commit)
    return replace(runtime, database=database)


def database_is_away() -> None:
    """Before a transaction: it never begins. After one: it was committed, but nobody is told."""
    raise DatabaseUnavailable("the test says so")


def side_by_side(*actions: Callable[[], object]) -> list[Any]:
    """What these return when a thread of its own runs each, all let go at once; raises what any of them raises."""
    start = threading.Barrier(len(actions))

    def run(action: Callable[[], object]) -> object:
        start.wait(10)
        return action()

    with ThreadPoolExecutor(len(actions)) as threads:
        return [future.result(60) for future in [threads.submit(run, action) for action in actions]]


def with_settings(runtime: Runtime, settings: Settings) -> Runtime:
    """`runtime` with other settings: the same database, provider and senders."""
    return replace(runtime, settings=settings)
