"""What the page of a batch tells beside the batch: why jobs failed, how long answers took, what was done to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.ids import show
from app.latencies import BOUNDS, Histogram
from app.runtime import Runtime
from app.services import auditlists
from app.services.auditlists import AuditView, Wanted
from app.services.overviews import Failure
from app.store import batchpages

MOST_FAILED = 2000
SAMPLE = 500
MOST_DONE = 20


@dataclass(frozen=True, slots=True)
class Latency:
    """How many answers took up to so many seconds, and longer than the one before."""

    seconds: float
    answers: int


@dataclass(frozen=True, slots=True)
class BatchStory:
    """What is told of a batch.

    `failures` are of its first `MOST_FAILED` failed jobs, `latencies` of its last `SAMPLE` completed ones in input
    order, without gaps between the shortest and the longest. `done` is what people did to it, oldest first, the latest
    `MOST_DONE` of it.
    """

    failures: tuple[Failure, ...] = ()
    latencies: tuple[Latency, ...] = ()
    done: tuple[AuditView, ...] = ()


def story(runtime: Runtime, batch_id: UUID) -> BatchStory:
    """What is told of a batch; nothing of one that doesn't exist."""
    with runtime.database.reading() as connection:
        failed = batchpages.failures(connection, batch_id, MOST_FAILED)
        took = batchpages.latencies(connection, batch_id, SAMPLE)
    done = auditlists.listing(runtime, Wanted(subject=show("batch", batch_id)), None, MOST_DONE).items
    failures = tuple(Failure(row.error_code or "unknown", row.jobs) for row in failed)
    return BatchStory(failures, _spread(took), done[::-1])


def _spread(took: Sequence[float]) -> tuple[Latency, ...]:
    counts = [round(count) for count in Histogram().with_more(took).counts]
    filled = [number for number, count in enumerate(counts) if count]
    if not filled:
        return ()
    return tuple(Latency(BOUNDS[number], counts[number]) for number in range(filled[0], filled[-1] + 1))
