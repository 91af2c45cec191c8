"""The blueprint, and the door that every one of its routes has: a login, and for changes an operator and a proof of
origin."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Blueprint, abort, current_app, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.admin import forgery, sessions
from app.admin.context import runtime
from app.api.context import gate

OPEN_ENDPOINTS = frozenset({"admin.login", "admin.sign_in", "admin.static"})
OF_VIEWERS_TOO = frozenset({"admin.sign_out"})
"""What is no GET and changes nothing but the own login."""

MAX_FORM_BYTES = 16_384
MAX_TEXT_BYTES = 5_000_000
"""As much as a field of a form that brings texts may hold."""

_LARGE_FORMS: set[str] = set()

P = ParamSpec("P")
T = TypeVar("T")

admin = Blueprint("admin", __name__, url_prefix="/admin", template_folder="templates", static_folder="static")


@admin.before_request
def admit() -> Response | None:
    """Send strangers to the login, refuse viewers who want to change something and forged forms, whatever the route:
    a new one can't forget any of it."""
    _limit_form()
    is_change = request.method not in {"GET", "HEAD", "OPTIONS"}
    if request.endpoint not in OPEN_ENDPOINTS:
        if not sessions.is_signed_in():
            return _to_login()
        if is_change and request.endpoint not in OF_VIEWERS_TOO:
            _refuse_viewers()
        sessions.keep()
    if is_change:
        forgery.refuse_forged()
    return None


def brings_texts(view: Callable[P, T]) -> Callable[P, T]:
    """For a form in which somebody writes or uploads texts: it may be as large as a request that brings jobs."""
    _LARGE_FORMS.add(f"admin.{view.__name__}")
    return view


def _limit_form() -> None:
    """Before anything is read of it."""
    is_large = request.endpoint in _LARGE_FORMS
    request.max_content_length = runtime().settings.max_body_bytes if is_large else MAX_FORM_BYTES
    request.max_form_memory_size = MAX_TEXT_BYTES if is_large else MAX_FORM_BYTES


def operators_only(view: Callable[P, T]) -> Callable[P, T]:
    """For a page that shows prompts or answers: a viewer is refused."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        _refuse_viewers()
        return view(*args, **kwargs)

    return guarded


def is_long(view: Callable[P, ResponseReturnValue]) -> Callable[P, Response]:
    """For what may hold its thread for long: it takes one of the places that such requests of the API have."""

    @wraps(view)
    def passing(*args: P.args, **kwargs: P.kwargs) -> Response:
        return gate().let_in(lambda: current_app.make_response(view(*args, **kwargs)))

    return passing


def _refuse_viewers() -> None:
    if not sessions.is_operator():
        abort(403, "You are logged in as a viewer, who sees no prompts and no answers, and changes nothing.")


def _to_login() -> Response:
    if request.headers.get("HX-Request"):
        # A part of a page can't show the login; told to load the whole page again, the browser gets there.
        return Response("You were logged out meanwhile.", 401, {"HX-Refresh": "true"}, mimetype="text/plain")
    if request.method == "GET":
        return redirect(url_for("admin.login", next=request.full_path.rstrip("?")))
    flash("You were logged out meanwhile; nothing was changed.", "refused")
    return redirect(url_for("admin.login"), 303)
