"""The pages of callbacks: lists, one with its body on request, and what can be done with one that did nothing."""

from flask import Response as Page
from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app import ids
from app.admin import acting, live
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.errors import Conflict, InvalidInput, NotFound, Problem
from app.services import callbacklists, matching, orphans, replaying

CALLBACKS_A_PAGE = 40
DEFAULT_TAB = next(iter(callbacklists.TABS))

_AFTER = {
    "applied": "It is applied.",
    "orphan": "Its attempt is still not here; the sweep goes on looking for a day.",
    "late": "It is late: its job does not need it. A retry of a cancelled job takes it.",
    "conflict": "It still contradicts what is known.",
    "invalid": "Still nobody can read it.",
}


@admin.get("/callbacks")
def callbacks() -> Page:
    """Those of one outcome, or all, newest first; without a word, those that somebody may have to look at."""
    tab = request.args.get("outcome", DEFAULT_TAB)
    if tab not in callbacklists.TABS:
        raise InvalidInput([Problem(f"No callback is ever '{tab[:80]}'.", "/outcome", value=tab[:80])])
    top = request.args.get("top") if live.is_part() else None
    page, newer = callbacklists.listing(runtime(), tab, request.args.get("cursor"), CALLBACKS_A_PAGE, top=top)
    html = render_template(
        "admin/callbacks.html",
        page=page,
        newer=newer,
        tab=tab,
        tabs=list(callbacklists.TABS),
        default_tab=DEFAULT_TAB,
        is_first_page="cursor" not in request.args,
    )
    return live.answer(html)


@admin.get("/callbacks/<shown>")
def callback(shown: str) -> str:
    """One, without its body."""
    return _page(callbacklists.detail(runtime(), ids.read("callback", shown)))


@admin.post("/callbacks/<shown>/body")
def read_callback(shown: str) -> str:
    """The same with the beginning of its body, once it is written down who reads it."""
    return _page(callbacklists.opened(runtime(), ids.read("callback", shown), acting.by()))


@admin.post("/callbacks/<shown>/match")
def match_callback(shown: str) -> Response:
    """Complete a job with an orphan's answer."""
    by = acting.by()
    if by.reason is None:
        return _without_reason(shown)
    try:
        job_id = ids.read("job", request.form.get("job", "").strip())
        despite = "anyway" in request.form
        matching.match(runtime(), ids.read("callback", shown), job_id, by=by, despite_metadata=despite)
    except (Conflict, NotFound) as refused:
        flash(f"Nothing was matched: {refused}", "refused")
        return _back(shown)
    flash("The job is completed with this answer.", "done")
    return redirect(url_for("admin.job", shown=ids.show("job", job_id)), 303)


@admin.post("/callbacks/<shown>/discard")
def discard_callback(shown: str) -> Response:
    """Say that an orphan is nobody's."""
    by = acting.by()
    if by.reason is None:
        return _without_reason(shown)
    try:
        orphans.discard(runtime(), ids.read("callback", shown), by)
    except NotFound as refused:
        flash(f"Nothing was discarded: {refused}", "refused")
        return _back(shown)
    flash(f"{shown} is discarded; it is kept, marked.", "done")
    return redirect(url_for("admin.callbacks"), 303)


@admin.post("/callbacks/<shown>/replay")
def replay_callback(shown: str) -> Response:
    """Look at one again, as if it came now."""
    try:
        outcome = replaying.replay(runtime(), ids.read("callback", shown), acting.by())
    except Conflict as refused:
        flash(f"Not replayed: {refused}", "refused")
    else:
        flash(_AFTER[outcome], "done" if outcome == "applied" else "refused")
    return _back(shown)


def _page(detail: callbacklists.CallbackDetail) -> str:
    row = detail.row
    is_listed_orphan = row.outcome == "orphan" and row.discarded_at is None
    return render_template(
        "admin/callback.html",
        detail=detail,
        callback=row,
        can_match=is_listed_orphan,
        can_replay=row.outcome != "applied" and row.discarded_at is None and row.attempt_id is not None,
    )


def _without_reason(shown: str) -> Response:
    flash("Nothing was changed: say why.", "refused")
    return _back(shown)


def _back(shown: str) -> Response:
    return redirect(url_for("admin.callback", shown=shown), 303)
