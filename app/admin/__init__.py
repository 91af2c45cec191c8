"""The admin page: server-rendered, behind a password; scripts keep it up to date, and nothing needs them."""

import hashlib
from urllib.parse import urlsplit

from flask import Flask

from app.admin import (  # noqa: F401 - their routes join the blueprint
    auditlog,
    batchactions,
    batches,
    batchfiles,
    callbacks,
    deliveries,
    failures,
    formats,
    headers,
    jobactions,
    joblist,
    jobpage,
    keys,
    login,
    manybatches,
    manyjobs,
    newbatch,
    nothing,
    overview,
    providers,
    search,
    system,
    webhooks,
)
from app.admin.blueprint import admin
from app.config import Settings
from app.runtime import Runtime


def register_admin(app: Flask) -> None:
    """Serve the admin page of `app` at /admin/.

    `app.secret_key` and `app.extensions["hivebatch"]` are already set: both decide about the login cookie.
    """
    runtime: Runtime = app.extensions["hivebatch"]
    app.config.update(_cookie(runtime.settings))
    login.post_guard(app)
    system.open_surgery(app)
    app.after_request(headers.harden)
    app.register_blueprint(admin)


def _cookie(settings: Settings) -> dict[str, object]:
    """Browsers share cookies between ports, so the name tells installations on one host apart."""
    installation = hashlib.sha256("".join(["admin cookie", *settings.secret_keys]).encode()).hexdigest()[:8]
    return {
        "SESSION_COOKIE_NAME": f"hivebatch_admin_{installation}",
        "SESSION_COOKIE_PATH": "/admin",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": urlsplit(settings.public_url or "").scheme == "https",
    }
