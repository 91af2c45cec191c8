"""What has to hold of money: each task that is billed is known and counted, and none was bought without a reason."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

from app.config import Settings
from app.states import AttemptState, JobState
from tests.simulation.books import Books
from tests.simulation.invariants import Sentence, expect
from tests.simulation.ledger import Ledger, Task

_CLOSED_BY_FAILURE = (AttemptState.REFUSED, AttemptState.FAILED)
_ANSWERED_LATER = (AttemptState.COMPLETED, AttemptState.SUPERSEDED)


def every_billed_task_is_known_as_an_attempt_that_counts(books: Books, ledger: Ledger) -> None:
    """Committed before it was sent. Only a provider that denies what it accepted leaves one that doesn't count."""
    for task in _of_those_that_are_here(books, ledger):
        attempt = books.attempt(task.attempt_id, task.job_id)
        expect(attempt is not None, task)
        expect(attempt.state != AttemptState.REFUSED or task.was_denied, task, attempt)
        expect(attempt.provider_task_id in (None, task.id), task, attempt)
        expect(attempt.cost_nano in (None, task.cost_nano), task, attempt)


def no_attempt_is_sent_twice(books: Books, ledger: Ledger) -> None:
    sent = [attempt_id for attempt_id, _ in ledger.posts]
    expect(len(sent) == len(set(sent)), sent)


def no_more_is_sent_in_a_while_than_the_rate_allows(books: Books, ledger: Ledger) -> None:
    """A submit may leave after its slot, at most by what a lease leaves it."""
    rate, settings = ledger.settings.rate_per_second, ledger.settings
    if rate is None or not ledger.posts:
        return
    slack = settings.lease_seconds - settings.submit_timeout_seconds + ledger.tolerance_seconds
    last = ledger.posts[-1][1]
    for number, (_, at) in enumerate(reversed(ledger.posts)):
        expect(number <= rate * ((last - at).total_seconds() + slack), number, at, last)


def every_further_submit_had_a_reason(books: Books, ledger: Ledger) -> None:
    """Before a job is submitted again its last attempt has failed, or was waited for as long as is promised.

    What was forgotten, and matched by hand, was submitted nobody knows when.
    """
    for job in books.jobs.values():
        if job.batch_id in ledger.retried:
            continue
        submitted = [each for each in books.attempts[job.id] if each.id not in ledger.matched]
        for before, after in pairwise(submitted):
            slack = timedelta(seconds=ledger.tolerance_seconds)
            if before.state in _ANSWERED_LATER:
                expect(before.finished_at + slack >= after.created_at, before, after)
            elif before.state == AttemptState.TIMED_OUT:
                expect(
                    before.finished_at - before.created_at >= _patience(before, ledger.settings) - slack, before, after
                )
            else:
                expect(before.state in _CLOSED_BY_FAILURE and before.error_code not in ("9", "http_422"), before, after)


def _patience(attempt: Any, settings: Settings) -> timedelta:
    """How long an attempt that timed out was waited for at least."""
    seconds = settings.unknown_grace_seconds
    if attempt.acked_at is not None and attempt.acked_at <= attempt.finished_at:
        seconds = settings.callback_timeout_seconds
    elif attempt.error_code == "lease_expired":
        seconds += settings.lease_seconds
    return timedelta(seconds=seconds)


def no_more_is_in_flight_than_allowed(books: Books, ledger: Ledger) -> None:
    open_jobs = [job for job in books.jobs.values() if job.state in (JobState.SUBMITTING, JobState.WAITING)]
    expect(len(open_jobs) <= ledger.settings.max_in_flight, len(open_jobs))


def no_answer_that_was_taken_is_lost(books: Books, ledger: Ledger) -> None:
    """Whoever was told 200 for an answer finds its job completed, or cancelled by its owner, and the body kept.

    Of what was forgotten only the body is kept, until it is matched.
    """
    kept = {(row.attempt_id, row.sha256): row.times for row in books.callbacks}
    for told, times in ledger.told.items():
        job = books.jobs.get(told.task.job_id)
        if job is None:
            continue
        expect(kept.get((told.task.attempt_id, told.sha256), 0) >= times, told, times)
        if told.is_answer and told.task.id in ledger.tasks:
            expect(job.state in (JobState.COMPLETED, JobState.CANCELLED), told, job)


def _of_those_that_are_here(books: Books, ledger: Ledger) -> list[Task]:
    return [task for task in ledger.tasks.values() if task.job_id in books.jobs]


SENTENCES: tuple[Sentence, ...] = (
    every_billed_task_is_known_as_an_attempt_that_counts,
    no_attempt_is_sent_twice,
    no_more_is_sent_in_a_while_than_the_rate_allows,
    every_further_submit_had_a_reason,
    no_more_is_in_flight_than_allowed,
    no_answer_that_was_taken_is_lost,
)
