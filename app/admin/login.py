"""Logging in and out."""

import logging
from typing import cast

from flask import Flask, current_app, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.admin import browsers, pages, sessions
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.admin.guard import Guard
from app.admin.sessions import Role
from app.errors import DatabaseUnavailable
from app.services import audit
from app.services.audit import By

_GUARD = "hivebatch_admin_guard"

logger = logging.getLogger(__name__)


def post_guard(app: Flask) -> None:
    """Put the guard of the configured passwords at the login of `app`."""
    with app.app_context():
        found = {role: sessions.configured(role) for role in Role}
    app.extensions[_GUARD] = Guard({role: secret for role, secret in found.items() if secret is not None})


@admin.get("/login")
def login() -> ResponseReturnValue:
    """The password field, or why there is none."""
    if sessions.is_signed_in():
        return redirect(_destination())
    return pages.login(can_log_in=_can_log_in())


@admin.post("/login")
def sign_in() -> ResponseReturnValue:
    """Log in with the password of a role, as that."""
    if not _can_log_in():
        return pages.login(can_log_in=False), 403
    guard = cast("Guard", current_app.extensions[_GUARD])
    verdict = guard.judge(request.form.get("password", ""), browsers.known())
    if verdict.wait_seconds:
        problem = f"Too many wrong passwords. Try again in {verdict.wait_seconds} s."
        return pages.login(problem=problem), 429, {"Retry-After": str(verdict.wait_seconds)}
    if verdict.role is None:
        logger.warning("admin_login_refused")
        return pages.login(problem="That is not the password."), 403
    sessions.start(verdict.role)
    _write_down(verdict.role)
    response = make_response(redirect(_destination(), 303))
    browsers.remember(response)
    return response


@admin.post("/logout")
def sign_out() -> ResponseReturnValue:
    """Forget the session."""
    sessions.end()
    return redirect(url_for("admin.login"), 303)


def _can_log_in() -> bool:
    return any(sessions.configured(role) is not None for role in Role)


def _write_down(role: Role) -> None:
    """Without a database too somebody may come in, to be told that there is none."""
    logger.info("admin_login", extra={"role": role.value})
    try:
        audit.note(runtime(), By(role), "admin.login", "admin")
    except DatabaseUnavailable as error:
        logger.warning("database_unavailable route=%s: %s", request.url_rule, error)


def _destination() -> str:
    """The page that was asked for, if it is one of ours."""
    wanted = request.args.get("next", "")
    return wanted if wanted.startswith("/admin/") else url_for("admin.overview")
