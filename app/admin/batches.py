"""The pages of batches: the list, and one with its jobs."""

from flask import Response, request

from app import ids
from app.admin import batchfilter, live, pages
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.errors import InvalidInput, Problem
from app.services import batchlists, batchpages, status, why
from app.states import JobState

BATCHES_A_PAGE = 25
JOBS_A_PAGE = 50


@admin.get("/batches")
def batches() -> Response:
    """Those that are asked for, newest first. The live part keeps the batches that the page began with."""
    asked = batchfilter.read(request.args)
    top = request.args.get("top") if live.is_part() else None
    page = batchlists.listing(runtime(), asked, request.args.get("cursor"), BATCHES_A_PAGE, top=top)
    return live.answer(pages.batches(page, asked))


@admin.get("/batches/<shown>")
def batch(shown: str) -> Response:
    """One batch with its jobs, all or by `?state=`."""
    batch_id = ids.read("batch", shown)
    states = _states()
    view = status.batch(runtime(), None, batch_id)
    cursor = request.args.get("cursor")
    jobs = status.jobs(runtime(), None, batch_id, states=states, cursor=cursor, limit=JOBS_A_PAGE)
    reasons, story = why.batch(runtime(), None, batch_id), batchpages.story(runtime(), batch_id)
    return live.answer(pages.batch(view, jobs, states, reasons, story))


def _states() -> list[str]:
    states = request.args.getlist("state")
    unknown = [state for state in states if state not in [*JobState, status.OVERDUE]]
    if unknown:
        raise InvalidInput([Problem(f"No job is ever in state '{unknown[0][:80]}'.", value=unknown[0][:80])])
    return states
