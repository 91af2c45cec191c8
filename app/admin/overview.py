"""The first page: how all stands."""

from flask import Response

from app.admin import live, pages
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.services import health


@admin.get("/")
def overview() -> Response:
    """Whether anything moves, and what keeps it."""
    return live.answer(pages.overview(health.readiness(runtime()), runtime().settings))
