"""What the buttons of a job do: one service call each, then back to its page."""

from collections.abc import Callable
from uuid import UUID

from flask import flash, redirect, request, url_for
from werkzeug.wrappers import Response

from app import ids
from app.admin import acting
from app.admin.batchactions import told
from app.admin.blueprint import admin, brings_texts
from app.admin.context import runtime
from app.errors import Conflict, InvalidInput
from app.services import batches, bulk, byhand, reparse, status


@admin.post("/jobs/<shown>/retry")
def retry_job(shown: str) -> Response:
    """Queue one failed or cancelled job again."""

    def retry(job_id: UUID) -> str:
        job = status.job(runtime(), None, job_id).job
        return told(batches.retry(runtime(), None, job.batch_id, [job.custom_id], acting.by()))

    return _do(shown, "Not retried", retry)


@admin.post("/jobs/<shown>/cancel")
def cancel_job(shown: str) -> Response:
    """End one open job."""

    def cancel(job_id: UUID) -> str:
        done = bulk.chosen(runtime(), "cancel", [job_id], acting.by())
        if not done.cancelled:
            raise Conflict("It is over.")
        return "The job is cancelled."

    return _do(shown, "Not cancelled", cancel)


@admin.post("/jobs/<shown>/fail")
def fail_job(shown: str) -> Response:
    """Give one open job up."""

    def fail(job_id: UUID) -> str:
        byhand.mark_failed(runtime(), job_id, acting.by())
        return "The job is failed. An answer that still comes completes it."

    return _do(shown, "Not marked failed", fail)


@admin.post("/jobs/<shown>/complete")
@brings_texts
def complete_job(shown: str) -> Response:
    """Write the answer of one job."""

    def complete(job_id: UUID) -> str:
        # Browsers send every line end as two characters (HTML, 4.10.21.4).
        text = request.form.get("text", "").replace("\r\n", "\n")
        byhand.complete(runtime(), job_id, text, acting.by())
        return "The job is completed with this answer."

    return _do(shown, "Not completed", complete)


@admin.post("/jobs/<shown>/reparse")
def reparse_job(shown: str) -> Response:
    """Read the stored callbacks of one job again."""

    def read_again(job_id: UUID) -> str:
        report = reparse.reparse_job(runtime(), job_id, acting.by())
        if not report.read:
            raise Conflict("No stored answer of it waits to be read.")
        if not report.completed:
            return "Still no text was recognised in what came for this job."
        return "The job is completed with what came for it, at no cost."

    return _do(shown, "Not read again", read_again)


def _do(shown: str, refusal: str, act: Callable[[UUID], str]) -> Response:
    """What it came to, or why nothing was done and what the job is now."""
    job_id = ids.read("job", shown)
    status.job(runtime(), None, job_id)  # or there is no page to go back to
    try:
        flash(act(job_id), "done")
    except InvalidInput as invalid:
        flash(f"{refusal}: {invalid.problems[0].message}", "refused")
    except Conflict as stale:
        flash(f"{refusal}: {stale} The job is {status.job(runtime(), None, job_id).job.state} now.", "refused")
    return redirect(url_for("admin.job", shown=shown), 303)
