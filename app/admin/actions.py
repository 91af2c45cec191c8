"""What the buttons of a batch do: one service call each, then back to the page that tells how it is now."""

from flask import flash, redirect, url_for
from werkzeug.wrappers import Response

from app import ids
from app.admin import acting
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.errors import Conflict
from app.services import batches, reparse, status
from app.services.views import RetryReport


@admin.post("/batches/<shown>/cancel")
def cancel_batch(shown: str) -> Response:
    """End the open jobs of a batch."""
    batch_id = ids.read("batch", shown)
    try:
        cancelled = batches.cancel(runtime(), None, batch_id, by=acting.by())
    except Conflict as stale:
        flash(
            f"Nothing was cancelled: {stale} The batch is {status.batch(runtime(), None, batch_id).status} now.",
            "refused",
        )
    else:
        flash(f"{_jobs(cancelled)} cancelled." if cancelled else "There was no open job any more.", "done")
    return redirect(url_for("admin.batch", shown=shown), 303)


@admin.post("/batches/<shown>/retry")
def retry_batch(shown: str) -> Response:
    """Queue the failed and the cancelled jobs of a batch again."""
    batch_id = ids.read("batch", shown)
    try:
        retried = batches.retry(runtime(), None, batch_id, None, acting.by())
    except Conflict as stale:
        flash(
            f"Nothing was retried: {stale} The batch is {status.batch(runtime(), None, batch_id).status} now.",
            "refused",
        )
    else:
        flash(told(retried), "done")
    return redirect(url_for("admin.batch", shown=shown), 303)


@admin.post("/batches/<shown>/reparse")
def reparse_batch(shown: str) -> Response:
    """Read the stored callbacks again of jobs in whose answers no text was recognised."""
    report = reparse.reparse(runtime(), ids.read("batch", shown), by=acting.by())
    flash(f"{_jobs(report.read)} read again, {_jobs(report.completed)} completed, at no cost.", "done")
    return redirect(url_for("admin.batch", shown=shown), 303)


def told(retried: RetryReport) -> str:
    """What a retry did, in words."""
    if not retried.queued and not retried.salvaged:
        return "There was nothing to retry any more."
    parts = [f"{_jobs(retried.queued)} queued again."] if retried.queued else []
    if retried.salvaged:
        parts.append(f"{_jobs(retried.salvaged)} completed with a late answer that was already stored, at no cost.")
    return " ".join(parts)


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count:,} jobs"
