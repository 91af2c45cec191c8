"""Proof that a form was sent from our own page (OWASP, Cross-Site Request Forgery Prevention)."""

import hmac
import secrets
from urllib.parse import urlsplit

from flask import abort, request, session

from app.admin.context import runtime


def form_token() -> str:
    """The token that every form of this session carries."""
    token = session.setdefault("token", secrets.token_urlsafe(24))
    return str(token)


def refuse_forged() -> None:
    """Answer 403 unless the browser says that the form is ours, as far as it says so, and its token is the session's.

    Raises:
        Forbidden: nothing was changed.
    """
    if not _is_same_origin() or not _has_token():
        abort(403, "This form was not sent from this page, or it is too old. Nothing was changed.")


def _is_same_origin() -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    ours = {request.host, urlsplit(runtime().settings.public_url or "").netloc}
    return urlsplit(origin).netloc in ours - {""}


def _has_token() -> bool:
    expected = session.get("token")
    given = request.form.get("token", "")
    return isinstance(expected, str) and hmac.compare_digest(given.encode(), expected.encode())
