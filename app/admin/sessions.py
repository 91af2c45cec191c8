"""Who is logged in, and as what: a signed cookie that ends by itself, and with the password that it was given for."""

import hashlib
import hmac
from datetime import timedelta
from enum import StrEnum

from flask import current_app, session
from pydantic import SecretStr

from app import clock
from app.admin import live
from app.admin.context import runtime
from app.admin.forgery import form_token
from app.config import reveal

LIFETIME = timedelta(hours=12)
IDLE = timedelta(minutes=30)
_NOTED_AGAIN = timedelta(minutes=1)  # so that not every answer sets a cookie


class Role(StrEnum):
    """What somebody may do: a viewer sees no prompts and no answers and changes nothing."""

    VIEWER = "viewer"
    OPERATOR = "operator"


def configured(of: Role) -> SecretStr | None:
    """The password of a role, or its hash; None when nobody may log in as that."""
    settings = runtime().settings
    found = settings.admin_password if of is Role.OPERATOR else settings.viewer_password
    return found if reveal(found) else None


def start(of: Role) -> None:
    """Log in. Nothing of the session before survives, not even the token of its forms."""
    session.clear()
    now = clock.now().timestamp()
    session.update({"role": of.value, "since": now, "seen": now, "password": _fingerprint(of)})
    form_token()  # now, or several parts of a page that come at once would each make one


def end() -> None:
    """Log out."""
    session.clear()


def role() -> Role | None:
    """As what this request comes: from somebody who gave today's password less than `LIFETIME` ago, and was here less
    than `IDLE` ago; None for everybody else."""
    if session.get("role") not in set(Role) or not _is_within("since", LIFETIME) or not _is_within("seen", IDLE):
        return None
    found = Role(session["role"])
    if configured(found) is None or not hmac.compare_digest(str(session.get("password")), _fingerprint(found)):
        return None
    return found


def is_signed_in() -> bool:
    """Whether somebody is logged in, as whatever."""
    return role() is not None


def is_operator() -> bool:
    """Whether whoever asks may see prompts and answers, and change things."""
    return role() is Role.OPERATOR


def keep() -> None:
    """Note that whoever is logged in is still here. A live part is fetched by the page, and is no sign of anybody."""
    if not live.is_part() and not _is_within("seen", _NOTED_AGAIN):
        session["seen"] = clock.now().timestamp()


def _is_within(name: str, span: timedelta) -> bool:
    at = session.get(name)
    return isinstance(at, int | float) and clock.now().timestamp() - at < span.total_seconds()


def _fingerprint(of: Role) -> str:
    """Keyed, because whoever holds the cookie can read it."""
    key = current_app.secret_key or ""
    raw = key.encode() if isinstance(key, str) else key
    return hmac.new(raw, f"{of} {reveal(configured(of))}".encode(), hashlib.sha256).hexdigest()[:32]
