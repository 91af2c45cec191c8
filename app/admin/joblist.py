"""The page of jobs of all batches, by what an address asks for."""

from flask import Response, render_template, request, url_for

from app.admin import asked, live
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.admin.signs import BAR_ORDER
from app.services import joblists
from app.services.status import OVERDUE

JOBS_A_PAGE = 50
STATES = (*(state.value for state in BAR_ORDER), OVERDUE)


@admin.get("/jobs")
def jobs() -> Response:
    """Those that are asked for, in the order of the index that knows most of it."""
    chosen = asked.kept(request.args)
    page = joblists.listing(runtime(), asked.read(request.args), request.args.get("cursor"), JOBS_A_PAGE)
    next_url = url_for("admin.jobs", **chosen, cursor=page.next_cursor) if page.next_cursor else None
    html = render_template(
        "admin/jobs.html",
        page=page,
        chosen=chosen,
        states=STATES,
        presets=asked.PRESETS,
        next_url=next_url,
        is_first_page="cursor" not in request.args,
        looked_at=f"{joblists.LOOKED_AT:,}",
    )
    return live.answer(html)
