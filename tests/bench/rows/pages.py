"""What the pages of the admin site ask of a full database."""

from app.ids import show
from app.runtime import Runtime
from app.services import auditlists, health, joblists, orphans, overviews, searching, status, why
from app.services.auditlists import Wanted
from app.services.joblists import JobFilter
from tests.bench.filling import TASK, Filled

FILTERS = (
    JobFilter(),
    JobFilter(states=("failed",)),
    JobFilter(states=("queued", "failed")),
    JobFilter(states=(status.OVERDUE,)),
    JobFilter(error_code="timed_out"),
    JobFilter(min_attempts=3),
)


def visit(runtime: Runtime, filled: Filled) -> None:
    """The overview, the lists, the pages of a middle and of the large batch, and a search for what each thing is."""
    overviews.overview(runtime)
    health.readiness(runtime)
    status.batches(runtime, None, show("batch", filled.middle_batch), 25)
    for batch_id in (filled.middle_batch, filled.large_batch):
        status.batch(runtime, None, batch_id)
        why.batch(runtime, None, batch_id)
        for state in ("waiting", "failed"):
            status.jobs(runtime, None, batch_id, states=[state], limit=50)
    for wanted in (*FILTERS, JobFilter(batch_id=filled.large_batch)):
        joblists.listing(runtime, wanted, None, 50)
        joblists.matching(runtime, wanted)
    orphans.listing(runtime)
    auditlists.listing(runtime, Wanted(), None, 50)
    for word in (show("job", filled.some_job), show("batch", filled.large_batch), "job-7", f"{TASK}7", "nothing"):
        searching.find(runtime, word)
