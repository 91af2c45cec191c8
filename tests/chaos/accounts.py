"""The accounts of a run: what the client was promised and given, held against what the provider sold.

Each function returns what is wrong, in words; nothing, if all is well. The database is asked only for what the other
two can't know: why a job was submitted again.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from tests.e2e.books import Books

COMMIT = timedelta(seconds=5)
"""How long a callback may wait for its commit; a claim that comes in that time can't know of it."""

UNKNOWN, FAILED, LATE = "unknown outcome", "failed task", "late callback"
IN_VAIN, NO_SUCH_TASK = "asked twice in vain", "no such task"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the results as the client downloaded them."""

    batch_id: str
    custom_id: str
    state: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an attempt has to be waited for before its job may be bought again."""

    lease: timedelta
    callback: timedelta
    grace: timedelta

    def of(self, attempt: Any) -> timedelta:
        """From the attempt's creation, which is its claim."""
        if attempt.acked_at is not None:
            return self.callback * (1 + attempt.had_more_time)
        return self.grace + (self.lease if attempt.error_code == "lease_expired" else timedelta(0))


def lost(promised: Mapping[tuple[str, str], str], lines: Sequence[Line]) -> list[str]:
    """Jobs that the client was promised (batch and custom id, with the right answer) and has no right result of."""
    given: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        given.setdefault((line.batch_id, line.custom_id), []).append(line)
    return [
        f"{custom_id} of {batch_id}: {_given(given.get((batch_id, custom_id), []))}"
        for (batch_id, custom_id), answer in promised.items()
        if all(line.text != answer or line.state != "completed" for line in given.get((batch_id, custom_id), []))
    ]


def _given(lines: Sequence[Line]) -> str:
    return ", ".join(f"{line.state} with {line.text!r}" for line in lines) or "it has no result"


def doubled(promised: Mapping[tuple[str, str], str], lines: Sequence[Line], books: Books) -> list[str]:
    """Results that came twice, or that nobody was promised; jobs that have two answers, or exist twice."""
    given = Counter((line.batch_id, line.custom_id) for line in lines)
    stored = Counter((f"batch_{row.batch_id.hex}", row.custom_id) for row in books.jobs)
    answers = Counter({shown: sum(each.state == "completed" for each in of) for shown, of in books.attempts.items()})
    return [
        *(f"{key[1]} of {key[0]} has {number} results" for key, number in given.items() if number > 1),
        *(f"{key[1]} of {key[0]} has a result that nobody asked for" for key in given.keys() - promised.keys()),
        *(f"{key[1]} of {key[0]} is stored {number} times" for key, number in stored.items() if number > 1),
        *(f"{key[1]} of {key[0]} is stored, and nobody was told" for key in stored.keys() - promised.keys()),
        *(f"{shown} has {number} answers" for shown, number in answers.items() if number > 1),
    ]


def forgotten(books: Books) -> list[str]:
    """Callbacks that the provider was told 200 for, and that are not in the inbox."""
    kept: Counter[str] = Counter()
    for row in books.callbacks:
        if row.job_id is not None:  # what was read back came once without having been sent
            kept[f"job_{row.job_id.hex}"] += row.times - (row.source == "read_back")
    answered = Counter(sale.job for sale in books.sales for status in sale.statuses if status == 200)
    return [
        f"{shown}: {number} callbacks were answered 200, {kept[shown]} are kept"
        for shown, number in answered.items()
        if shown is not None and number > kept[shown]
    ]


@dataclass(frozen=True, slots=True)
class Payments:
    """Jobs that were sold more than once, by the reasons of it; and payments that have none."""

    paid_twice: int
    reasons: Counter[str]
    unexplained: Sequence[str]


def payments(books: Books, patience: Patience) -> Payments:
    """Every sale beyond a job's first needs an attempt that was given up for a reason, and waited for as promised."""
    reasons: Counter[str] = Counter()
    unexplained = [f"task {sale.task_id} was sold to no job" for sale in books.sales if sale.job not in books.job]
    answered_at = _answered_at(books)
    paid_twice = [shown for shown, number in books.sold.items() if number > 1 and shown in books.job]
    for shown, attempts in books.attempts.items():
        found = list(_reasons(books, attempts, answered_at.get(shown), patience))
        good = [reason for reason, fault in found if fault is None]
        unexplained += [f"{shown}: {fault}" for _, fault in found if fault is not None]
        missing = books.sold[shown] - 1 - len(good)
        if missing > 0:
            unexplained.append(f"{shown} was sold {books.sold[shown]} times, with reasons for {len(good)}: {good}")
        if books.sold[shown] > 1:
            reasons.update(good)
    return Payments(len(paid_twice), reasons, unexplained)


def _reasons(
    books: Books, attempts: Sequence[Any], answered_at: Any, patience: Patience
) -> Iterator[tuple[str, str | None]]:
    """Why each attempt that was followed by another was given up, and what is wrong with that."""
    counted = [each for each in attempts if each.state != "refused"]
    for before, after in pairwise(counted):
        if answered_at is not None and answered_at < before.created_at:
            yield "", f"attempt {before.number} came after its answer was kept"
        elif before.state == "failed":
            yield FAILED, None
        elif before.state == "completed" and before.finished_at >= after.created_at:
            yield LATE, _too_soon(books, before, after, after.created_at, patience)
        elif before.state == "timed_out":
            yield _gave_up(before), _too_soon(books, before, after, before.finished_at, patience)
        else:
            yield "", f"attempt {after.number} came after one that was {before.state}"
    if counted and answered_at is not None and answered_at < counted[-1].created_at:
        yield "", f"attempt {counted[-1].number} came after its answer was kept"


def _gave_up(attempt: Any) -> str:
    """In a word. An ack that came when it was given up as unknown changes nothing: it kept that reason."""
    if attempt.acked_at is None or attempt.error_code != "timed_out":
        return UNKNOWN
    return IN_VAIN if attempt.had_more_time else NO_SUCH_TASK


def _too_soon(books: Books, before: Any, after: Any, given_up_at: Any, patience: Patience) -> str | None:
    """What else should have been done before the job was bought again: waiting, or asking."""
    waited, needed = given_up_at - before.created_at, patience.of(before)
    if waited < needed or after.created_at < given_up_at:
        return f"attempt {before.number} was waited for {waited.total_seconds():.1f} of {needed.total_seconds():.1f} s"
    if books.was_given_up_unasked(before, after, patience.callback):
        return f"attempt {before.number} has a task that nobody asked for"
    return None


def _answered_at(books: Books) -> Mapping[str, Any]:
    """From when on nobody may buy each job again: its first readable answer was applied, or should have been."""
    found: dict[str, Any] = {}
    for row in books.callbacks:
        shown = None if row.job_id is None else f"job_{row.job_id.hex}"
        if shown is not None and row.outcome in ("applied", "late") and row.detail is None:
            applied_at = books.job[shown].finished_at if row.outcome == "applied" else None
            known_at = applied_at or row.received_at + COMMIT
            found[shown] = min(found.get(shown, known_at), known_at)
    return found
