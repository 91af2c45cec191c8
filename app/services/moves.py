"""How every service moves jobs: lock, fold the events one by one through the transition function, write in bulk."""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.db import Connection
from app.ids import show
from app.states import MAYBE_ANSWERED_STATES, Attempt, AttemptState, Case, Job, JobState, Outcome
from app.store import bulk, figures, jobs
from app.transitions import Event, Moment, transition

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Moved:
    """What a fold did: an outcome an event, in order, and the batches in which a job ended."""

    outcomes: tuple[Outcome, ...]
    ended_batches: frozenset[UUID]


def move(connection: Connection, events: Sequence[tuple[UUID, Event]], moment: Moment) -> Moved:
    """Apply events, each to the job of its id, in this order. Events of jobs that don't exist are orphans."""
    return move_cases(connection, jobs.lock(connection, [job_id for job_id, _ in events]), events, moment)


def move_cases(
    connection: Connection, cases: Mapping[UUID, Case], events: Sequence[tuple[UUID, Event]], moment: Moment
) -> Moved:
    """As `move`, for cases that are locked already."""
    current = dict(cases)
    outcomes = []
    for job_id, event in events:
        if job_id not in current:
            outcomes.append(Outcome.ORPHAN)
            continue
        step = transition(current[job_id], event, moment)
        current[job_id] = step.case
        outcomes.append(step.outcome)
    changes = [(cases[job_id], current[job_id]) for job_id in cases]
    if changes:
        with bulk.together(connection):
            jobs.save(connection, changes)
            figures.add(connection, _added(changes))
    if logger.isEnabledFor(logging.DEBUG):
        _log(changes)
    ended = frozenset(after.job.batch_id for before, after in changes if before.job.is_open and not after.job.is_open)
    return Moved(tuple(outcomes), ended)


def _added(changes: Sequence[tuple[Case, Case]]) -> Mapping[UUID, Mapping[str, int]]:
    """What these changes add to the figures of each batch."""
    added: dict[UUID, Counter[str]] = defaultdict(Counter)
    for before, after in changes:
        if before is not after:
            of_batch = added[after.job.batch_id]
            of_batch.update(_counted(after))
            of_batch.subtract(_counted(before))
    return added


def _counted(case: Case) -> Mapping[str, int]:
    """What one job adds to the figures of its batch, all but what its callbacks do."""
    submits = sum(attempt.state is not AttemptState.REFUSED for attempt in case.attempts.values())
    return {
        case.job.state: 1,
        "submits": submits,
        "submitted_jobs": int(submits > 0),
        "possibly_doubled": _possibly_doubled(case),
        **_costs(case),
    }


def _possibly_doubled(case: Case) -> int:
    """Answers beyond the first that the provider may have made for a job."""
    return max(0, sum(attempt.state in MAYBE_ANSWERED_STATES for attempt in case.attempts.values()) - 1)


def _costs(case: Case) -> Mapping[str, int]:
    """What a job's attempts cost, and what part of that was in vain (docs/states.md)."""
    costs: Counter[str] = Counter()
    for attempt in case.attempts.values():
        if attempt.cost_nano:
            costs["cost_nano"] += attempt.cost_nano
            costs[_kind(case.job, attempt)] += attempt.cost_nano
    return costs


def _kind(job: Job, attempt: Attempt) -> str:
    match attempt.state:
        case AttemptState.COMPLETED:
            return "useful_nano"
        case AttemptState.FAILED:
            return "failed_nano"
        case _:
            return "duplicate_nano" if job.state is JobState.COMPLETED else "late_nano"


def _log(changes: Sequence[tuple[Case, Case]]) -> None:
    for before, after in changes:
        ids = {
            "job_id": show("job", after.job.id),
            "batch_id": show("batch", after.job.batch_id),
            "attempts": after.job.attempts,
        }
        logger.debug("job_moved", extra=ids | {"before": before.job.state, "after": after.job.state})
