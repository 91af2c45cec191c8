"""Hivebatch: dependable batches of prompts on APIs that answer by callback."""

from flask import Flask

from app.admin import register_admin
from app.api import register_api
from app.runtime import Runtime


def create_app(runtime: Runtime) -> Flask:
    """The web application over this runtime: REST, callbacks and the admin page."""
    app = Flask("app", static_folder=None, template_folder=None)
    app.extensions["hivebatch"] = runtime
    app.secret_key = runtime.settings.secret_keys[0]
    app.config["SECRET_KEY_FALLBACKS"] = list(runtime.settings.secret_keys[1:])
    register_api(app)
    register_admin(app)
    return app
