"""The page of jobs of all batches, by what an address asks for."""

from uuid import UUID

from flask import Response, render_template, request, url_for

from app import ids
from app.admin import asked, live
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.admin.signs import BAR_ORDER
from app.services import joblists
from app.services.status import OVERDUE

JOBS_A_PAGE = 40
STATES = (*(state.value for state in BAR_ORDER), OVERDUE)


@admin.get("/jobs")
def jobs() -> Response:
    """Those that are asked for, in the order of the index that knows most of it. The live part keeps the jobs that the
    page began with, in their places, as they are by now."""
    chosen = asked.kept(request.args)
    page = joblists.listing(runtime(), asked.read(request.args), request.args.get("cursor"), JOBS_A_PAGE)
    rows, next_cursor, has_news = page.items, page.next_cursor, False
    if listed := _listed():
        rows, next_cursor = joblists.again(runtime(), listed), request.args.get("next") or None
        has_news = any(row.job.id not in listed for row in page.items)
    next_url = url_for("admin.jobs", **chosen, cursor=next_cursor) if next_cursor else None
    html = render_template(
        "admin/jobs.html",
        page=page,
        rows=rows,
        has_news=has_news,
        chosen=chosen,
        states=STATES,
        presets=asked.PRESETS,
        next_url=next_url,
        is_first_page="cursor" not in request.args,
        looked_at=f"{joblists.LOOKED_AT:,}",
    )
    return live.answer(html)


def _listed() -> tuple[UUID, ...]:
    """The jobs that the page began with, for its live part."""
    words = request.args.getlist("listed")[:JOBS_A_PAGE] if live.is_part() else []
    return tuple(ids.read("job", word) for word in words)
