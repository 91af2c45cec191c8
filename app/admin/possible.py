"""What can be done to a batch as it stands: which buttons its page has, and which of the selected ones are meant."""

from app.services.views import BatchView
from app.states import OPEN_JOB_STATES, JobState


def open_jobs(batch: BatchView) -> int:
    """How many a cancel would end."""
    return sum(batch.counts.get(state, 0) for state in OPEN_JOB_STATES)


def retryable_jobs(batch: BatchView) -> int:
    """How many a retry would queue again."""
    return batch.counts.get(JobState.FAILED, 0) + batch.counts.get(JobState.CANCELLED, 0)


def can_pause(batch: BatchView) -> bool:
    """Whether it is going on."""
    return batch.status == "in_progress"


def can_resume(batch: BatchView) -> bool:
    """Whether somebody paused it."""
    return any(hold.reason == "paused" for hold in batch.holds)
