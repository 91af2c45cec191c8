"""The buttons that hold a batch, and that let it go."""

from flask import flash, redirect, url_for
from werkzeug.wrappers import Response

from app import ids
from app.admin import acting
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.errors import Conflict
from app.services import pausing, status


@admin.post("/batches/<shown>/pause")
def pause_batch(shown: str) -> Response:
    """Submit nothing more from a batch, in the words of whoever presses the button."""
    batch_id = ids.read("batch", shown)
    try:
        by = acting.by()
        pausing.pause(runtime(), None, batch_id, by.reason or "No reason was given.", by)
    except Conflict as stale:
        flash(f"Not paused: {stale} The batch is {status.batch(runtime(), None, batch_id).status} now.", "refused")
    else:
        flash("Nothing more is submitted from this batch.", "done")
    return redirect(url_for("admin.batch", shown=shown), 303)


@admin.post("/batches/<shown>/resume")
def resume_batch(shown: str) -> Response:
    """Go on with a batch."""
    batch_id = ids.read("batch", shown)
    pausing.resume(runtime(), None, batch_id, acting.by())
    flash(f"The batch is {status.batch(runtime(), None, batch_id).status} now.", "done")
    return redirect(url_for("admin.batch", shown=shown), 303)
