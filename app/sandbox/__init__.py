"""An emulator of the provider's V2 task API and V3 chat API, with faults on demand: a Flask app of its own."""

from flask import Flask
from werkzeug.exceptions import HTTPException

from app.sandbox.chat_views import v3
from app.sandbox.config import SandboxConfig
from app.sandbox.control import control
from app.sandbox.results import answer_for
from app.sandbox.sandbox import Sandbox
from app.sandbox.views import http_error, v2

__all__ = ["Sandbox", "SandboxConfig", "answer_for", "create_sandbox"]


def create_sandbox(config: SandboxConfig) -> Flask:
    """Make the app; its `Sandbox` is `app.extensions["sandbox"]`, whose `close()` ends its threads."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the provider is typed as its base
    app.extensions["sandbox"] = Sandbox(config)
    app.register_blueprint(v2)
    app.register_blueprint(v3)
    app.register_blueprint(control)
    app.register_error_handler(HTTPException, http_error)
    return app
