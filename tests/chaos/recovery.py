"""Recovery: how long each kind of fault held a job up, beside the bound that is promised for it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from app.runtime import LOOKUPS_AT_ONCE
from tests.chaos.faults import FROZEN, Done
from tests.e2e.books import Books

SLACK_SECONDS = 2.0
"""What a busy machine may add."""

ROUND_SECONDS = 2.0
"""Within so long a busy machine reads back as many answers as it asks for at once."""

BEHIND = ("lost callback", "lost callback, asked twice", "lost ring")
"""What a sweep comes to only when it has asked; it looks for the others first."""

BLINDING = (
    *("up", "postgresql", "worker-postgresql", "web-postgresql", "everything"),
    *("up-provider", "worker-provider"),
)
"""Faults of these keep every sweep from finding anything: a sweep that asks the provider waits for what it says. A
worker that is killed leaves another one."""


PROVOKED = ("killed worker", "lost answer", "lost callback", "lost ring")
"""What every plan makes happen. Being asked twice takes a provider that is away, or slow, when it is asked."""

ABSENT = {"sqlite": {"lost ring": "there are none: the broker is a part of the one process, and ends with it"}}
"""What can't happen on a database, and why."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """Something that was lost, from its loss until it was found. `seconds` as by the clock, `quiet_seconds` without the
    time in which nobody could look for it, or everybody was busy with what was lost before."""

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
        "lost callback, asked twice": Bound(
            "twice callback time-out + sweep + the time-out of asking", 2 * (callback + sweep + submit)
        ),
        "lost ring": Bound("one sweep", sweep),
    }


def recoveries(books: Books, done: Sequence[Done]) -> Sequence[Recovery]:
    """Every loss of a run that was found. The waits that follow it (backoff, holds, the line) are not part of it."""
    of_attempts = list(_of_attempts(books))
    # Who is frozen keeps the locks that he has, and the other's sweep waits for them.
    blind = [(each.began_at, each.ended_at) for each in done if each.target in BLINDING or each.kind == FROZEN]
    busy = _asking_without_pause(found_at for kind, _, _, found_at in of_attempts if kind.startswith("lost callback"))
    return [
        Recovery(kind, what, (until - since).total_seconds(), _quiet(since, until, blind + busy * (kind in BEHIND)))
        for kind, what, since, until in [*of_attempts, *_of_rings(books, done)]
    ]


def exceeded(found: Iterable[Recovery], promised: Mapping[str, Bound]) -> list[str]:
    """Those that took longer than promised."""
    return [
        f"{each.kind}: {each.what} took {each.seconds:.1f} s, {each.quiet_seconds:.1f} of them to be seen; "
        f"promised are {promised[each.kind].seconds:.1f} ({promised[each.kind].words})"
        for each in found
        if each.quiet_seconds > promised[each.kind].seconds + SLACK_SECONDS
    ]


def unmeasured(found: Iterable[Recovery], database: str) -> list[str]:
    """The kinds that must have happened, and did not: nothing was shown about their bounds."""
    measured = {each.kind for each in found}
    return [kind for kind in PROVOKED if kind not in measured and kind not in ABSENT.get(database, {})]


Loss = tuple[str, str, datetime, datetime]


def _of_attempts(books: Books) -> Iterator[Loss]:
    """A lost attempt: from when it left, or was claimed, until its answer was read back or it was given up."""
    read_back = {row.attempt_id: row.received_at for row in books.callbacks if row.source == "read_back"}
    for shown, attempts in books.attempts.items():
        for each in attempts:
            found_at = read_back.get(each.id) or (each.finished_at if each.state == "timed_out" else None)
            if found_at is None:
                continue
            what = f"attempt {each.number} of {shown}"
            if each.error_code == "lease_expired":
                yield "killed worker", what, each.created_at, found_at
            elif each.acked_at is None:
                yield "lost answer", what, each.sent_at or each.created_at, found_at
            else:
                yield "lost callback" + each.had_more_time * ", asked twice", what, each.acked_at, found_at


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


Time = tuple[datetime, datetime]


def _asking_without_pause(found: Iterable[datetime]) -> list[Time]:
    """When sweeps had as many tasks to ask for as they can at once, as after an outage: the others stand in line."""
    instants = sorted(found)
    rounds = zip(instants, instants[LOOKUPS_AT_ONCE - 1 :], strict=False)
    return [(first, last) for first, last in rounds if (last - first).total_seconds() <= ROUND_SECONDS]


def _quiet(since: datetime, until: datetime, disturbed: Sequence[Time]) -> float:
    """How much of the time the sweep could see."""
    seen, quiet = since, timedelta(0)
    for began_at, ended_at in sorted(disturbed):
        if seen < until and began_at < until and ended_at > seen:
            quiet += max(timedelta(0), began_at - seen)
            seen = ended_at
    return (quiet + max(timedelta(0), until - seen)).total_seconds()
