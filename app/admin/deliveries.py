"""The page of one delivery of a webhook, and what sends again: one, all that failed, all that are missing."""

from collections.abc import Callable
from datetime import timedelta

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app import clock, ids
from app.admin import acting, live
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.errors import Conflict, InvalidInput, Problem
from app.services import resending

SPANS = {"1": "the last hour", "24": "the last 24 hours", "168": "the last 7 days", "720": "the last 30 days"}
"""How far back deliveries may be sent again: hours, and their words."""


@admin.get("/deliveries/<shown>")
def delivery(shown: str) -> Response:
    """One delivery with all of its tries."""
    detail = resending.get(runtime(), None, ids.read("delivery", shown))
    return live.answer(render_template("admin/delivery.html", detail=detail, delivery=detail.delivery, shown=shown))


@admin.post("/deliveries/<shown>/resend")
def resend_delivery(shown: str) -> Response:
    """Send one again, whatever became of it."""
    try:
        resending.resend(runtime(), None, ids.read("delivery", shown), acting.by())
    except Conflict as refused:
        flash(f"Nothing was sent: {refused}", "refused")
    else:
        flash("It is on its way again.", "done")
    return redirect(url_for("admin.delivery", shown=shown), 303)


@admin.post("/webhooks/<shown>/resend_failed")
def resend_failed(shown: str) -> Response:
    """Send again what was given up."""
    return _sent(shown, resending.resend_failed)


@admin.post("/webhooks/<shown>/resend_missing")
def resend_missing(shown: str) -> Response:
    """Send what never was on its way there."""
    return _sent(shown, resending.resend_missing)


def _sent(shown: str, send: Callable[..., int]) -> Response:
    hours = request.form.get("hours", "")
    if hours not in SPANS:
        raise InvalidInput([Problem("This is no span of time that can be chosen.", "/hours")])
    since = clock.now() - timedelta(hours=int(hours))
    try:
        number = send(runtime(), None, ids.read("webhook", shown), since, acting.by())
    except Conflict as refused:
        flash(f"Nothing was sent: {refused}", "refused")
    else:
        flash(f"{_deliveries(number)} on the way." if number else "There was nothing to send.", "done")
    return redirect(url_for("admin.webhook", shown=shown), 303)


def _deliveries(number: int) -> str:
    return "1 delivery is" if number == 1 else f"{number:,} deliveries are"
