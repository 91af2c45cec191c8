"""The blueprint, and the door that every one of its routes has: a login, and for changes a proof of origin."""

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from app.admin import forgery, sessions

OPEN_ENDPOINTS = frozenset({"admin.login", "admin.sign_in", "admin.static"})
MAX_FORM_BYTES = 16_384

admin = Blueprint("admin", __name__, url_prefix="/admin", template_folder="templates", static_folder="static")


@admin.before_request
def admit() -> Response | None:
    """Send strangers to the login and refuse forged forms, whatever the route: a new one can't forget either."""
    request.max_content_length = MAX_FORM_BYTES
    if request.endpoint not in OPEN_ENDPOINTS and not sessions.is_signed_in():
        return _to_login()
    if request.method not in {"GET", "HEAD", "OPTIONS"}:
        forgery.refuse_forged()
    return None


def _to_login() -> Response:
    if request.method == "GET":
        return redirect(url_for("admin.login", next=request.full_path.rstrip("?")))
    flash("You were logged out meanwhile; nothing was changed.", "refused")
    return redirect(url_for("admin.login"), 303)
