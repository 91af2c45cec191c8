"""A batch's life as one list of entries: stored, what people did to it, its end."""

from collections.abc import Sequence

from app.admin.timeline import Entry, with_gaps
from app.services.auditlists import AuditView
from app.services.views import BatchView

_DONE = {
    "batch.pause": ("paused", "Paused"),
    "batch.resume": ("in_progress", "Resumed"),
    "batch.cancel": ("cancelled", "Cancel requested"),
    "batch.retry": ("queued", "Retried"),
    "batch.reparse": ("queued", "Stored answers read again"),
    "batch.budget": ("queued", "Budget changed"),
    "batch.download": ("applied", "Results downloaded"),
}


def lifeline(batch: BatchView, done: Sequence[AuditView]) -> tuple[Entry, ...]:
    """What is known to have happened to a batch, in order; a retry takes back the end before it."""
    entries = [Entry(batch.created_at, "queued", "Batch stored", f"by {batch.owner}")]
    entries.extend(_of(each) for each in done)
    if batch.finalized_at:
        entries.append(Entry(batch.finalized_at, batch.status, f"Batch {batch.status}"))
    return with_gaps(sorted(entries, key=lambda entry: entry.at))


def _of(done: AuditView) -> Entry:
    state, title = _DONE.get(done.action, ("applied", done.action))
    why = f": {done.reason}" if done.reason else ""
    return Entry(done.at, state, title, f"by {done.actor}{why}")
