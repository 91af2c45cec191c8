"""Logging in and out."""

import hmac
import logging
import math
import threading
from collections import deque
from datetime import datetime, timedelta
from typing import cast

from flask import current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app import clock
from app.admin import pages, sessions
from app.admin.blueprint import admin

GUARD = "hivebatch_admin_guard"
MAX_WRONG = 10
WINDOW = timedelta(minutes=1)

logger = logging.getLogger(__name__)


class Guard:
    """Counts the wrong passwords that this process was given in the last minute, and then lets nobody try."""

    def __init__(self) -> None:
        self._wrong: deque[datetime] = deque(maxlen=MAX_WRONG)
        self._lock = threading.Lock()

    def judge(self, *, is_right: bool) -> int:
        """Seconds until a password is looked at again; 0: this one counts, right or wrong."""
        with self._lock:
            now = clock.now()
            if len(self._wrong) == MAX_WRONG and now - self._wrong[0] < WINDOW:
                return math.ceil((WINDOW - (now - self._wrong[0])).total_seconds())
            if not is_right:
                self._wrong.append(now)
            return 0


@admin.get("/login")
def login() -> ResponseReturnValue:
    """The password field, or why there is none."""
    if sessions.is_signed_in():
        return redirect(_destination())
    return pages.login(can_log_in=sessions.configured_password() is not None)


@admin.post("/login")
def sign_in() -> ResponseReturnValue:
    """Log in with the one password."""
    expected = sessions.configured_password()
    if expected is None:
        return pages.login(can_log_in=False), 403
    is_right = hmac.compare_digest(request.form.get("password", "").encode(), expected.encode())
    wait_seconds = cast("Guard", current_app.extensions[GUARD]).judge(is_right=is_right)
    if wait_seconds:
        problem = f"Too many wrong passwords. Try again in {wait_seconds} s."
        return pages.login(problem=problem), 429, {"Retry-After": str(wait_seconds)}
    if not is_right:
        logger.warning("admin_login_refused")
        return pages.login(problem="That is not the password."), 403
    sessions.start()
    logger.info("admin_login")
    return redirect(_destination(), 303)


@admin.post("/logout")
def sign_out() -> ResponseReturnValue:
    """Forget the session."""
    sessions.end()
    return redirect(url_for("admin.login"), 303)


def _destination() -> str:
    """The page that was asked for, if it is one of ours."""
    wanted = request.args.get("next", "")
    return wanted if wanted.startswith("/admin/") else url_for("admin.overview")
