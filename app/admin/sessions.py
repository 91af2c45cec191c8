"""Who is logged in: a signed cookie that holds for twelve hours and as long as the password stays the same."""

import hashlib
import hmac
from datetime import timedelta

from flask import current_app, session

from app import clock
from app.admin.context import runtime

LIFETIME = timedelta(hours=12)


def configured_password() -> str | None:
    """The password that opens the page; None when nobody may log in."""
    secret = runtime().settings.admin_password
    return secret.get_secret_value() if secret else None


def start() -> None:
    """Log in. Nothing of the session before survives, not even the token of its forms."""
    session.clear()
    session["signed_in_at"] = clock.now().timestamp()
    session["password"] = _fingerprint()


def end() -> None:
    """Log out."""
    session.clear()


def is_signed_in() -> bool:
    """Whether this request comes from somebody who gave today's password less than `LIFETIME` ago."""
    since = session.get("signed_in_at")
    if not isinstance(since, int | float) or configured_password() is None:
        return False
    is_fresh = 0 <= clock.now().timestamp() - since < LIFETIME.total_seconds()
    return is_fresh and hmac.compare_digest(str(session.get("password")), _fingerprint())


def _fingerprint() -> str:
    """Keyed, because whoever holds the cookie can read it."""
    key = current_app.secret_key or ""
    raw = key.encode() if isinstance(key, str) else key
    return hmac.new(raw, (configured_password() or "").encode(), hashlib.sha256).hexdigest()[:32]
