"""The first page: how all stands."""

from flask import Response

from app.admin import live, pages
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.services import health, overviews


@admin.get("/")
def overview() -> Response:
    """How all stands, and what keeps it."""
    found = overviews.overview(runtime())
    return live.answer(pages.overview(found, health.readiness(runtime()), runtime().settings))
