"""The pages of batches: the list, and one with its jobs."""

from flask import Response, request

from app import ids
from app.admin import live, pages
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.errors import InvalidInput, Problem
from app.services import status, why
from app.states import JobState

BATCHES_A_PAGE = 25
JOBS_A_PAGE = 50


@admin.get("/batches")
def batches() -> Response:
    """All batches, newest first."""
    return live.answer(pages.batches(status.batches(runtime(), None, request.args.get("cursor"), BATCHES_A_PAGE)))


@admin.get("/batches/<shown>")
def batch(shown: str) -> Response:
    """One batch with its jobs, all or by `?state=`."""
    batch_id = ids.read("batch", shown)
    states = _states()
    view = status.batch(runtime(), None, batch_id)
    cursor = request.args.get("cursor")
    jobs = status.jobs(runtime(), None, batch_id, states=states, cursor=cursor, limit=JOBS_A_PAGE)
    return live.answer(pages.batch(view, jobs, states, why.batch(runtime(), None, batch_id)))


def _states() -> list[str]:
    states = request.args.getlist("state")
    unknown = [state for state in states if state not in [*JobState, status.OVERDUE]]
    if unknown:
        raise InvalidInput([Problem(f"No job is ever in state '{unknown[0][:80]}'.", value=unknown[0][:80])])
    return states
