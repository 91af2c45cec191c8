"""The pages that only show: parse, ask a service, render."""

from typing import NoReturn

from flask import abort

from app import ids
from app.admin import pages
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.services import status, why


@admin.get("/jobs/<shown>")
def job(shown: str) -> str:
    """One job with its attempts, callbacks and texts."""
    job_id = ids.read("job", shown)
    return pages.job(status.job(runtime(), None, job_id), why.job(runtime(), None, job_id))


@admin.get("/<path:anything>")
def nothing(anything: str) -> NoReturn:
    """A page for what isn't here, instead of the API's JSON."""
    abort(404, f"There is no page /admin/{anything[:80]}.")
