"""The buttons that hold a provider, let it go, and ask whether it can reach us."""

from flask import flash, redirect, request, url_for
from werkzeug.wrappers import Response

from app.admin import acting
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.errors import Conflict, NotFound
from app.services import echoes, holds, pausing


@admin.post("/providers/<name>/pause")
def pause_provider(name: str) -> Response:
    """Submit nothing more to a provider."""
    is_new = pausing.pause_provider(runtime(), name, acting.by())
    return _told(f"Nothing more is submitted to {name}." if is_new else f"{name} was paused already.", "done")


@admin.post("/providers/<name>/lift")
def lift_hold(name: str) -> Response:
    """End a hold on a provider, or reset its breaker: which, is in the field `hold`."""
    hold = request.form.get("hold", "")
    try:
        holds.lift(runtime(), "provider", name, hold, acting.by())
    except NotFound:
        return _told(f"Nothing was changed: {name} is not held for that any more.", "refused")
    return _told(f"{name} is not held for {hold} any more.", "done")


@admin.post("/providers/<name>/echo")
def send_echo(name: str) -> Response:
    """Reach ourselves at the public URL, as the provider would have to."""
    try:
        wrong = echoes.send(runtime(), name, acting.by())
    except Conflict as needless:
        return _told(f"No echo was sent: {needless}", "refused")
    if wrong is not None:
        return _told(f"The echo did not come back, so nothing is submitted to {name}. {wrong}", "refused")
    return _told("The echo came back: callbacks can reach this service.", "done")


def _told(message: str, category: str) -> Response:
    flash(message, category)
    return redirect(url_for("admin.overview"), 303)
