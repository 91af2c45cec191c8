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
    """Answer 403 unless the form is ours. What the browser says decides, which no other site can make it say; only
    where it says nothing, as older ones do, has the form to carry the token of the session.

    So a form still counts that was opened before somebody logged in anew in another tab.

    Raises:
        Forbidden: nothing was changed.
    """
    if not _is_ours():
        abort(403, "This form was not sent from this page, or it is too old. Nothing was changed.")


def _is_ours() -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    if origin is not None:
        ours = {request.host, urlsplit(runtime().settings.public_url or "").netloc}
        return urlsplit(origin).netloc in ours - {""}
    return _has_token()


def _has_token() -> bool:
    expected = session.get("token")
    given = request.form.get("token", "")
    return isinstance(expected, str) and hmac.compare_digest(given.encode(), expected.encode())
