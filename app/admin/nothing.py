"""What isn't here."""

from typing import NoReturn

from flask import abort

from app.admin.blueprint import admin


@admin.get("/<path:anything>")
def nothing(anything: str) -> NoReturn:
    """A page for what isn't here, instead of the API's JSON."""
    abort(404, f"There is no page /admin/{anything[:80]}.")
