"""What the buttons of a batch do: one service call each, then back to the page that tells how it is now."""

from collections.abc import Callable
from uuid import UUID

from flask import flash, redirect, url_for
from werkzeug.wrappers import Response

from app import ids
from app.admin import acting
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.errors import Conflict
from app.services import batches, pausing, reparse, status
from app.services.views import RetryReport


@admin.post("/batches/<shown>/pause")
def pause_batch(shown: str) -> Response:
    """Submit nothing more from a batch."""
    return _do(shown, "Not paused", pause)


@admin.post("/batches/<shown>/resume")
def resume_batch(shown: str) -> Response:
    """Go on with a batch."""
    return _do(shown, "Not resumed", resume)


@admin.post("/batches/<shown>/cancel")
def cancel_batch(shown: str) -> Response:
    """End the open jobs of a batch."""
    return _do(shown, "Nothing was cancelled", cancel)


@admin.post("/batches/<shown>/retry")
def retry_batch(shown: str) -> Response:
    """Queue the failed and the cancelled jobs of a batch again."""
    return _do(shown, "Nothing was retried", retry)


@admin.post("/batches/<shown>/reparse")
def reparse_batch(shown: str) -> Response:
    """Read the stored callbacks again of jobs in whose answers no text was recognised."""

    def read_again(batch_id: UUID) -> str:
        report = reparse.reparse(runtime(), batch_id, by=acting.by())
        return f"{_jobs(report.read)} read again, {_jobs(report.completed)} completed, at no cost."

    return _do(shown, "Not read again", read_again)


# --- what is done to a batch, in words; each raises Conflict where the batch is not, or no longer, as it has to be ---


def pause(batch_id: UUID) -> str:
    """In the words of whoever presses the button."""
    by = acting.by()
    pausing.pause(runtime(), None, batch_id, by.reason or "No reason was given.", by)
    return "Nothing more is submitted from this batch."


def resume(batch_id: UUID) -> str:
    """Its queued jobs are submitted again."""
    pausing.resume(runtime(), None, batch_id, acting.by())
    return f"The batch is {_status(batch_id)} now."


def cancel(batch_id: UUID) -> str:
    """Its open jobs end."""
    cancelled = batches.cancel(runtime(), None, batch_id, by=acting.by())
    return f"{_jobs(cancelled)} cancelled." if cancelled else "There was no open job any more."


def retry(batch_id: UUID) -> str:
    """Its failed and cancelled jobs are queued again, or completed with what is stored."""
    return told(batches.retry(runtime(), None, batch_id, None, acting.by()))


def told(retried: RetryReport) -> str:
    """What a retry did, in words."""
    if not retried.queued and not retried.salvaged:
        return "There was nothing to retry any more."
    parts = [f"{_jobs(retried.queued)} queued again."] if retried.queued else []
    if retried.salvaged:
        parts.append(f"{_jobs(retried.salvaged)} completed with a late answer that was already stored, at no cost.")
    return " ".join(parts)


def _do(shown: str, refusal: str, act: Callable[[UUID], str]) -> Response:
    """What it came to, or why nothing was done and what the batch is now."""
    batch_id = ids.read("batch", shown)
    try:
        flash(act(batch_id), "done")
    except Conflict as stale:
        flash(f"{refusal}: {stale} The batch is {_status(batch_id)} now.", "refused")
    return redirect(url_for("admin.batch", shown=shown), 303)


def _status(batch_id: UUID) -> str:
    return status.batch(runtime(), None, batch_id).status


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count:,} jobs"
