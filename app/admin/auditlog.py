"""The page of the audit: who did what to what, and why."""

from flask import Response, render_template, request, url_for

from app.admin import live
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.services import auditlists
from app.services.auditlists import Wanted

ACTIONS_A_PAGE = 50
FILTERS = ("actor", "action", "subject")


@admin.get("/audit")
def audit() -> Response:
    """What was done, newest first; all, or by `?actor=`, `?action=` and `?subject=`."""
    asked = {name: request.args.get(name, "").replace("\x00", "").strip() for name in FILTERS}
    given = {name: text for name, text in asked.items() if text}
    page = auditlists.listing(runtime(), Wanted(**given), request.args.get("cursor"), ACTIONS_A_PAGE)
    first = "cursor" not in request.args
    html = render_template("admin/audit.html", page=page, given=given, page_of=page_of, is_first_page=first)
    return live.answer(html)


def page_of(subject: str) -> str | None:
    """Where what was done to it can be seen; None if it has no page of its own."""
    kind = subject.partition("_")[0]
    is_shown = kind in {"batch", "job", "callback", "webhook", "delivery"}
    return url_for(f"admin.{kind}", shown=subject) if is_shown else None
