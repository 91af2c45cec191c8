"""What has to hold at every moment, whatever happened before: a broken sentence raises `Broken`."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from app.models import FIGURES
from app.states import MAYBE_ANSWERED_STATES, OPEN_ATTEMPT_STATES, OPEN_JOB_STATES, AttemptState, JobState, Outcome
from tests.simulation.books import Books
from tests.simulation.ledger import Ledger

PERMANENT = frozenset({"9", "http_422", "text_not_recognised"})
_FITTING = {
    JobState.SUBMITTING: {AttemptState.SUBMITTING},
    JobState.WAITING: {AttemptState.WAITING, AttemptState.UNKNOWN},
}


class Broken(AssertionError):
    """What should always hold does not: which sentence, and the rows that it is about."""

    def __str__(self) -> str:
        return "\n  ".join(str(part._asdict() if isinstance(part, Row) else part) for part in self.args)


def expect(holds: object, *about: object) -> None:
    """Raise, with what it is about, unless it holds."""
    if not holds:
        raise Broken(*about)


# --- jobs and attempts ---


def a_job_has_an_open_attempt_exactly_while_it_is_out(books: Books, ledger: Ledger) -> None:
    for job in books.jobs.values():
        states = [(each.id, each.state) for each in books.attempts[job.id] if each.state in OPEN_ATTEMPT_STATES]
        if job.state in _FITTING:
            expect(len(states) == 1 and states[0][0] == job.current_attempt_id, job, states)
            expect(states[0][1] in _FITTING[job.state], job, states)
        else:
            expect(not states, job, states)


def attempts_are_numbered_without_gaps(books: Books, ledger: Ledger) -> None:
    for job in books.jobs.values():
        expect([each.number for each in books.attempts[job.id]] == list(range(1, job.last_number + 1)), job)


def a_job_counts_the_attempts_that_may_have_been_accepted(books: Books, ledger: Ledger) -> None:
    for job in books.jobs.values():
        counted = sum(each.state != AttemptState.REFUSED for each in books.attempts[job.id])
        expect(job.attempts == counted, job, books.attempts[job.id])
        expect(counted <= job.max_attempts or job.state == JobState.COMPLETED, job)


def a_completed_job_has_exactly_one_result_from_a_stored_body(books: Books, ledger: Ledger) -> None:
    expect(set(books.results) == {job.id for job in books.jobs.values() if job.state == JobState.COMPLETED}, books)
    applied = {row.id: row for row in books.callbacks if row.outcome == Outcome.APPLIED}
    for job_id, result in books.results.items():
        winners = [each.id for each in books.attempts[job_id] if each.state == AttemptState.COMPLETED]
        expect(winners == [result.attempt_id], winners, result)
        body = applied.get(result.callback_id)
        expect(body is not None and (body.attempt_id, body.sha256) == (result.attempt_id, result.source_sha256), result)


def an_answer_is_that_of_its_own_task_and_never_changes(books: Books, ledger: Ledger) -> None:
    texts = {(task.job_id, task.attempt_id): task.text for task in ledger.tasks.values()}
    for job_id, result in books.results.items():
        expect(result.text == texts.get((job_id, result.attempt_id)), result)
        first = ledger.answers.setdefault(job_id, (result.attempt_id, result.text))
        expect(first == (result.attempt_id, result.text), first, result)
    kept = {job_id for job_id in ledger.answers if job_id in books.jobs}
    expect(kept <= set(books.results), kept - set(books.results))


def a_job_fails_only_for_good_reason(books: Books, ledger: Ledger) -> None:
    for job in books.jobs.values():
        if job.state != JobState.FAILED:
            continue
        if job.error_code == "batch_expired":
            slack = timedelta(seconds=ledger.tolerance_seconds)
            is_over = job.finished_at + slack >= books.batches[job.batch_id].expires_at
            expect(is_over or job.batch_id in ledger.retried, job)  # a retry gives the batch more time
        else:
            permanent = [each for each in books.attempts[job.id] if each.error_code in PERMANENT]
            is_used_up = job.attempts >= job.max_attempts
            expect(is_used_up or (permanent and job.error_code in PERMANENT), job, books.attempts[job.id])


def times_are_in_order(books: Books, ledger: Ledger) -> None:
    for attempts in books.attempts.values():
        for each in attempts:
            for times in ((each.created_at, each.sent_at, each.acked_at), (each.created_at, each.finished_at)):
                expect(_is_in_order(times, ledger.tolerance_seconds), each)


def _is_in_order(times: tuple[datetime | None, ...], tolerance_seconds: float) -> bool:
    known = [at for at in times if at is not None]
    return all(after - before >= timedelta(seconds=-tolerance_seconds) for before, after in pairwise(known))


# --- batches ---


def what_was_promised_is_there(books: Books, ledger: Ledger) -> None:
    for batch_id, prompts in ledger.promised.items():
        if batch_id in books.purged:
            expect(batch_id in ledger.removed and batch_id not in books.batches, batch_id)
            expect(not books.jobs_of(batch_id), batch_id)
        else:
            expect(batch_id in books.batches and len(books.jobs_of(batch_id)) == len(prompts), batch_id, len(prompts))
    for batch_id, batch in books.batches.items():
        expect(batch.total == len(books.jobs_of(batch_id)), batch)


def a_batch_that_is_finalized_is_over(books: Books, ledger: Ledger) -> None:
    for batch_id, batch in books.batches.items():
        if batch.finalized_at is not None:
            expect(not any(job.state in OPEN_JOB_STATES for job in books.jobs_of(batch_id)), batch)


def kept_figures_are_what_one_counts(books: Books, ledger: Ledger) -> None:
    for batch_id, batch in books.batches.items():
        kept, counted = books.figures[batch_id], dict(_figures(books, batch_id))
        expect(all(kept[name] == number for name, number in counted.items()), batch, dict(kept), counted)
        expect(set(counted) == set(FIGURES), counted)


def _figures(books: Books, batch_id: UUID) -> Iterator[tuple[str, int]]:
    jobs = books.jobs_of(batch_id)
    states = Counter(job.state for job in jobs)
    yield from ((str(state), states[state]) for state in JobState)
    attempts = [each for job in jobs for each in books.attempts[job.id]]
    sent = [each for each in attempts if each.state != AttemptState.REFUSED]
    yield "submits", len(sent)
    yield "submitted_jobs", len({each.job_id for each in sent})
    yield "cost_nano", sum(each.cost_nano or 0 for each in attempts)
    yield from _in_vain(books, attempts).items()
    bodies = [row for row in books.callbacks if row.batch_id == batch_id and row.outcome != Outcome.ORPHAN]
    yield "late", sum(row.outcome == Outcome.LATE for row in bodies)
    yield "repeats", sum(row.times - 1 for row in bodies)
    yield "read_back", sum(row.source == "read_back" for row in bodies)
    answered = Counter(each.job_id for each in attempts if each.state in MAYBE_ANSWERED_STATES)
    yield "possibly_doubled", sum(number - 1 for number in answered.values())


def _in_vain(books: Books, attempts: Sequence[Row[Any]]) -> Mapping[str, int]:
    """What was paid for nothing: failed tasks, and answers that were not needed or came for a job that was over."""
    costs = {"late_nano": 0, "duplicate_nano": 0, "failed_nano": 0}
    for attempt in attempts:
        is_answered = books.jobs[attempt.job_id].state == JobState.COMPLETED
        if attempt.state == AttemptState.FAILED:
            costs["failed_nano"] += attempt.cost_nano or 0
        elif attempt.state != AttemptState.COMPLETED:
            costs["duplicate_nano" if is_answered else "late_nano"] += attempt.cost_nano or 0
    return costs


def a_cancelled_batch_is_left_alone_and_no_other_is_cancelled(books: Books, ledger: Ledger) -> None:
    for batch_id in [each for each in ledger.stopped if each in books.batches]:
        jobs = books.jobs_of(batch_id)
        numbers = {job.id: job.last_number for job in jobs}
        expect(not any(job.state in OPEN_JOB_STATES for job in jobs), jobs)
        first = ledger.stopped[batch_id]
        expect(first is None or first == numbers, first, numbers)
        ledger.stopped[batch_id] = numbers
    cancelled = [job for job in books.jobs.values() if job.state == JobState.CANCELLED]
    expect(all(job.batch_id in ledger.cancelled for job in cancelled), cancelled)


Sentence = Callable[[Books, Ledger], Any]
SENTENCES: tuple[Sentence, ...] = (
    a_job_has_an_open_attempt_exactly_while_it_is_out,
    attempts_are_numbered_without_gaps,
    a_job_counts_the_attempts_that_may_have_been_accepted,
    a_completed_job_has_exactly_one_result_from_a_stored_body,
    an_answer_is_that_of_its_own_task_and_never_changes,
    a_job_fails_only_for_good_reason,
    times_are_in_order,
    what_was_promised_is_there,
    a_batch_that_is_finalized_is_over,
    kept_figures_are_what_one_counts,
    a_cancelled_batch_is_left_alone_and_no_other_is_cancelled,
)
