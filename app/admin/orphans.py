"""The pages of callbacks that belong to no job here: list, one with its body, match, discard."""

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app import ids
from app.admin import acting
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.errors import Conflict, NotFound
from app.services import matching
from app.services import orphans as service

ORPHANS_A_PAGE = 50


@admin.get("/orphans")
def orphans() -> str:
    """Those that wait to be matched or discarded, newest first."""
    page = service.listing(runtime(), request.args.get("cursor"), ORPHANS_A_PAGE)
    return render_template("admin/orphans.html", page=page, is_first_page="cursor" not in request.args)


@admin.get("/orphans/<shown>")
def orphan(shown: str) -> str:
    """One, with the beginning of its body."""
    return render_template("admin/orphan.html", detail=service.detail(runtime(), ids.read("callback", shown)))


@admin.post("/orphans/<shown>/match")
def match_orphan(shown: str) -> Response:
    """Complete a job with its answer."""
    by = acting.by()
    if by.reason is None:
        return _without_reason(shown)
    try:
        job_id = ids.read("job", request.form.get("job", "").strip())
        matching.match(
            runtime(),
            ids.read("callback", shown),
            job_id,
            by=by,
            despite_metadata="anyway" in request.form,
        )
    except (Conflict, NotFound) as refused:
        flash(f"Nothing was matched: {refused}", "refused")
        return redirect(url_for("admin.orphans"), 303) if _is_gone(refused) else _back(shown)
    flash("The job is completed with this answer.", "done")
    return redirect(url_for("admin.job", shown=ids.show("job", job_id)), 303)


@admin.post("/orphans/<shown>/discard")
def discard_orphan(shown: str) -> Response:
    """Say that it is nobody's."""
    by = acting.by()
    if by.reason is None:
        return _without_reason(shown)
    service.discard(runtime(), ids.read("callback", shown), by)
    flash(f"{shown} is discarded; it is kept, marked.", "done")
    return redirect(url_for("admin.orphans"), 303)


def _without_reason(shown: str) -> Response:
    flash("Nothing was changed: say why.", "refused")
    return _back(shown)


def _back(shown: str) -> Response:
    return redirect(url_for("admin.orphan", shown=shown), 303)


def _is_gone(error: Exception) -> bool:
    return isinstance(error, NotFound) and error.kind == "orphan"
