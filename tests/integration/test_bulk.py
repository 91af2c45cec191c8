"""Bulk writes: what was changed under its lock is noticed, alone and in one round trip with others."""

from contextlib import nullcontext

import pytest

from app.models import jobs
from app.runtime import Runtime
from app.states import JobState
from app.store import bulk
from tests.factories import job, submit


@pytest.mark.parametrize("is_together", [False, True])
def test_a_row_that_is_not_as_it_was_read_is_not_overwritten(runtime: Runtime, is_together: bool) -> None:
    batch_id = submit(runtime, "a", "b")
    ids = [job(runtime, batch_id, name).job.id for name in ("job-0", "job-1")]
    read_as = dict(zip(ids, (JobState.QUEUED, JobState.WAITING), strict=True))
    rows = [{"id": job_id, "old_state": state, "max_attempts": 9} for job_id, state in read_as.items()]
    with (
        pytest.raises(AssertionError, match="1 of 2 rows"),
        runtime.database.transaction() as connection,
        bulk.together(connection) if is_together else nullcontext(),
    ):
        bulk.change(connection, jobs, rows, guards=("state",))
    assert [job(runtime, batch_id, name).job.max_attempts for name in ("job-0", "job-1")] == [3, 3]
