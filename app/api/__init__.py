"""The HTTP API: each view parses, calls one service function, renders."""

from flask import Flask

from app.api import batches, brakes, callbacks, deliveries, health, jobs, verification, webhooks, why
from app.api.errors import register_errors


def register_api(app: Flask) -> None:
    """Give the application its API and its way to speak of errors."""
    register_errors(app)
    for module in (batches, brakes, verification, jobs, why, webhooks, deliveries, callbacks, health):
        app.register_blueprint(module.blueprint)
