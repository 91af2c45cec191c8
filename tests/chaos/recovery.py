"""Recovery: how long each kind of fault held a job up, beside the bound that is promised for it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from tests.chaos.faults import FROZEN, Done
from tests.e2e.books import Books

SLACK_SECONDS = 2.0
"""What a busy machine may add."""

BLINDING = ("up", "postgresql", "worker-postgresql", "web-postgresql", "everything")
"""Faults of these keep every sweep from finding anything. A worker that is killed leaves another one."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """Something that was lost, from its loss until it was found. `seconds` as by the clock, `quiet_seconds` without the
    time in which nobody could look for it."""

    kind: str
    what: str
    seconds: float
    quiet_seconds: float


@dataclass(frozen=True, slots=True)
class Bound:
    """What is promised for one kind of loss, in words and in seconds."""

    words: str
    seconds: float


def bounds(settings: Mapping[str, str]) -> Mapping[str, Bound]:
    """The bounds, by kind, as these settings make them."""
    lease, sweep, grace, callback = (
        float(settings[f"{name}_SECONDS"]) for name in ("LEASE", "SWEEP", "UNKNOWN_GRACE", "CALLBACK_TIMEOUT")
    )
    submit = float(settings["SUBMIT_TIMEOUT_SECONDS"])
    return {
        "killed worker": Bound("lease + sweep, grace + sweep as the POST may have left", lease + grace + 2 * sweep),
        "lost answer": Bound("submit time-out, grace + sweep", submit + grace + sweep),
        "lost callback": Bound("callback time-out + sweep", callback + sweep),
        "lost ring": Bound("one sweep", sweep),
    }


def recoveries(books: Books, done: Sequence[Done]) -> Sequence[Recovery]:
    """Every loss of a run that was found. The waits that follow it (backoff, holds, the line) are not part of it."""
    return [
        Recovery(kind, what, (until - since).total_seconds(), _quiet(since, until, done))
        for kind, what, since, until in [*_of_attempts(books), *_of_rings(books, done)]
    ]


def exceeded(found: Iterable[Recovery], promised: Mapping[str, Bound]) -> list[str]:
    """Those that took longer than promised."""
    return [
        f"{each.kind}: {each.what} took {each.seconds:.1f} s, {each.quiet_seconds:.1f} of them to be seen; "
        f"promised are {promised[each.kind].seconds:.1f} ({promised[each.kind].words})"
        for each in found
        if each.quiet_seconds > promised[each.kind].seconds + SLACK_SECONDS
    ]


Loss = tuple[str, str, datetime, datetime]


def _of_attempts(books: Books) -> Iterator[Loss]:
    """An attempt that was given up: from when it left, or was claimed, until the sweep gave it up."""
    for shown, attempts in books.attempts.items():
        for each in attempts:
            if each.state != "timed_out":
                continue
            what = f"attempt {each.number} of {shown}"
            if each.error_code == "lease_expired":
                yield "killed worker", what, each.created_at, each.finished_at
            elif each.acked_at is None:
                yield "lost answer", what, each.sent_at or each.created_at, each.finished_at
            else:
                yield "lost callback", what, each.acked_at, each.finished_at


def _of_rings(books: Books, done: Sequence[Done]) -> Iterator[Loss]:
    """A batch that came while Redis was away and nothing was in line: from its creation to its first claim."""
    away = [each for each in done if each.target == "redis"]
    firsts: dict[Any, list[Any]] = {}
    for row in books.jobs:
        attempts = books.attempts[f"job_{row.id.hex}"]
        if attempts:
            firsts.setdefault((row.created_at, row.batch_id), []).append(attempts[0].created_at)
    in_order = sorted(firsts.items(), key=lambda entry: entry[0])
    for (_, before), ((created_at, batch_id), claimed) in pairwise([((None, None), []), *in_order]):
        is_alone = not before or max(before) < created_at
        if is_alone and any(each.began_at < created_at < each.ended_at for each in away):
            yield "lost ring", f"batch_{batch_id.hex}", created_at, min(claimed)


def _quiet(since: datetime, until: datetime, done: Sequence[Done]) -> float:
    """How much of the time the sweep could see."""
    disturbed = timedelta(0)
    for each in done:
        # Who is frozen keeps the locks that he has, and the other's sweep waits for them.
        if each.target in BLINDING or each.kind == FROZEN:
            disturbed += max(timedelta(0), min(until, each.ended_at) - max(since, each.began_at))
    return (until - since - disturbed).total_seconds()
