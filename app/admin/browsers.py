"""Browsers that somebody has logged in with: a signed cookie that says no more than that."""

import hashlib
import hmac
import secrets
from datetime import timedelta

from flask import Response, current_app, request

_REMEMBERED = timedelta(days=365)


def known() -> str | None:
    """What tells the browser of this request from others; None: nobody has logged in with it."""
    name, _, proof = request.cookies.get(_cookie(), "").partition(".")
    return name if name and any(hmac.compare_digest(proof, _proof(name, key)) for key in _keys()) else None


def remember(response: Response) -> None:
    """Know this browser from now on."""
    name = known() or secrets.token_urlsafe(12)
    response.set_cookie(
        _cookie(),
        f"{name}.{_proof(name, _keys()[0])}",
        max_age=_REMEMBERED,
        path="/admin/login",
        httponly=True,
        samesite="Lax",
        secure=current_app.config["SESSION_COOKIE_SECURE"],
    )


def _cookie() -> str:
    return f"{current_app.config['SESSION_COOKIE_NAME']}_browser"


def _keys() -> list[str]:
    return [str(key) for key in (current_app.secret_key, *(current_app.config["SECRET_KEY_FALLBACKS"] or ()))]


def _proof(name: str, key: str) -> str:
    return hmac.new(key.encode(), f"browser {name}".encode(), hashlib.sha256).hexdigest()
