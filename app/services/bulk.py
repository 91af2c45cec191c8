"""Many jobs at once, of whatever batches: retried or cancelled, the chosen ones or all that a filter means."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal
from uuid import UUID

from app.db import Connection
from app.ids import show
from app.runtime import Runtime
from app.services import audit, budgets, finalizing, joblists, retries
from app.services.audit import By
from app.services.joblists import JobFilter
from app.services.moves import move_cases
from app.services.status import OVERDUE
from app.states import OPEN_JOB_STATES, JobState, Outcome
from app.store import jobs
from app.transitions import Cancelled, Moment

Action = Literal["retry", "cancel"]

AT_ONCE = 2000
"""So many jobs are done in one call, which somebody waits for."""

GONE = "gone"
_LOOKS = 20
_CHUNKS: Mapping[Action, int] = {"retry": retries.CHUNK, "cancel": 500}
FITTING: Mapping[Action, tuple[JobState, ...]] = {"retry": retries.RETRYABLE, "cancel": OPEN_JOB_STATES}
_MOST_NAMED = 50


@dataclass(frozen=True, slots=True)
class Done:
    """What became of jobs: queued again, completed by a stored answer, cancelled; `stale` ones were in another state,
    or are `gone`."""

    queued: int = 0
    salvaged: int = 0
    cancelled: int = 0
    stale: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Done") -> "Done":
        stale = Counter(self.stale) + Counter(other.stale)
        queued, salvaged = self.queued + other.queued, self.salvaged + other.salvaged
        return Done(queued, salvaged, self.cancelled + other.cancelled, dict(stale))

    @property
    def changed(self) -> int:
        """How many jobs it did something to."""
        return self.queued + self.salvaged + self.cancelled


def chosen(runtime: Runtime, action: Action, job_ids: Iterable[UUID], by: By) -> Done:
    """h or j, for these jobs; what each is by now is told of those to which it can't be done.

    Each chunk has its own transaction, so it can be broken off and run again.
    """
    ids, size = sorted(set(job_ids)), _CHUNKS[action]
    done = Done()
    begun: set[UUID] = set()
    for start in range(0, len(ids), size):
        done += _chunk(runtime, action, ids[start : start + size], by, begun)
    return done


def matching(runtime: Runtime, action: Action, asked: JobFilter, cursor: str | None, by: By) -> tuple[Done, str | None]:
    """h or j, for up to about `AT_ONCE` of the jobs that are as asked, and where to go on, None: that were all.

    Going on from there it comes to an end, whatever becomes of jobs meanwhile.

    Raises:
        InvalidInput: an unknown state, or `cursor` is none of this filter's.
    """
    wanted, done = narrowed(action, asked), Done()
    begun: set[UUID] = set()
    if wanted is None:
        return done, None
    for _ in range(_LOOKS):
        ids, cursor = joblists.ids(runtime, wanted, cursor, _CHUNKS[action])
        done += _chunk(runtime, action, ids, by, begun)
        if cursor is None or done.changed >= AT_ONCE:
            break
    return done, cursor


def narrowed(action: Action, asked: JobFilter) -> JobFilter | None:
    """The filter, of those of its states to which this can be done; None: of none."""
    fitting = {*FITTING[action], *([OVERDUE] if action == "cancel" else [])}
    states = [state for state in asked.states if state in fitting] if asked.states else FITTING[action]
    return replace(asked, states=tuple(map(str, states))) if states else None


def _chunk(runtime: Runtime, action: Action, job_ids: Sequence[UUID], by: By, begun: set[UUID]) -> Done:
    if not job_ids:
        return Done()
    moment = runtime.moment()
    with runtime.database.transaction() as connection:
        done, batch_ids = _ACTIONS[action](runtime, connection, job_ids, moment, begun)
        if done.changed:
            audit.add(connection, moment.now, by, f"jobs.{action}", _subject(job_ids), **_told(job_ids, done))
    begun |= batch_ids
    finalizing.finalize(runtime, batch_ids)
    if action == "retry":
        budgets.enforce(runtime, batch_ids)
    for provider in runtime.providers:
        runtime.doorbell.ring(provider)
    return done


def _retry(
    runtime: Runtime, connection: Connection, job_ids: Sequence[UUID], moment: Moment, begun: set[UUID]
) -> tuple[Done, frozenset[UUID]]:
    found = retries.requeue(runtime, connection, job_ids, moment, begun)
    stale = Counter(str(state) for state in found.stale.values())
    stale[GONE] = len(job_ids) - len(found.queued) - len(found.salvaged) - stale.total()
    return Done(len(found.queued), len(found.salvaged), stale=+stale), found.opened


def _cancel(
    runtime: Runtime, connection: Connection, job_ids: Sequence[UUID], moment: Moment, begun: set[UUID]
) -> tuple[Done, frozenset[UUID]]:
    cases = jobs.lock(connection, job_ids)
    moved = move_cases(connection, cases, [(id_, Cancelled()) for id_ in cases], moment)
    late = [case for case, outcome in zip(cases.values(), moved.outcomes, strict=True) if outcome is Outcome.LATE]
    stale = Counter(str(case.job.state) for case in late)
    stale[GONE] = len(job_ids) - len(cases)
    return Done(cancelled=len(cases) - len(late), stale=+stale), moved.ended_batches


_ACTIONS: Mapping[Action, Callable[..., tuple[Done, frozenset[UUID]]]] = {"retry": _retry, "cancel": _cancel}


def _subject(job_ids: Sequence[UUID]) -> str:
    return show("job", job_ids[0]) if len(job_ids) == 1 else f"{len(job_ids)} jobs"


def _told(job_ids: Sequence[UUID], done: Done) -> Mapping[str, object]:
    """What is written down beside the reason; the jobs themselves, if they are few."""
    named = {"jobs": [show("job", id_) for id_ in job_ids]} if 1 < len(job_ids) <= _MOST_NAMED else {}
    counts = {"queued": done.queued, "salvaged": done.salvaged, "cancelled": done.cancelled}
    return named | {name: count for name, count in counts.items() if count}
