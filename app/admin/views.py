"""The pages that only show: parse, ask a service, render."""

from typing import NoReturn

from flask import abort, request

from app import ids
from app.admin import pages
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.errors import InvalidInput, Problem
from app.services import health, status, why
from app.states import JobState

BATCHES_A_PAGE = 25
JOBS_A_PAGE = 50


@admin.get("/")
def batches() -> str:
    """All batches, newest first."""
    page = status.batches(runtime(), None, request.args.get("cursor"), BATCHES_A_PAGE)
    return pages.batches(page, health.readiness(runtime()), runtime().settings)


@admin.get("/batches/<shown>")
def batch(shown: str) -> str:
    """One batch with its jobs, all or by `?state=`."""
    batch_id = ids.read("batch", shown)
    states = _states()
    view = status.batch(runtime(), None, batch_id)
    cursor = request.args.get("cursor")
    jobs = status.jobs(runtime(), None, batch_id, states=states, cursor=cursor, limit=JOBS_A_PAGE)
    return pages.batch(view, jobs, states, why.batch(runtime(), None, batch_id))


@admin.get("/jobs/<shown>")
def job(shown: str) -> str:
    """One job with its attempts, callbacks and texts."""
    job_id = ids.read("job", shown)
    return pages.job(status.job(runtime(), None, job_id), why.job(runtime(), None, job_id))


@admin.get("/<path:anything>")
def nothing(anything: str) -> NoReturn:
    """A page for what isn't here, instead of the API's JSON."""
    abort(404, f"There is no page /admin/{anything[:80]}.")


def _states() -> list[str]:
    states = request.args.getlist("state")
    unknown = [state for state in states if state not in [*JobState, status.OVERDUE]]
    if unknown:
        raise InvalidInput([Problem(f"No job is ever in state '{unknown[0][:80]}'.", value=unknown[0][:80])])
    return states
