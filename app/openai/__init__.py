"""The OpenAI Batch API: a second face of the same batches, for tools that speak it and must work unchanged."""

from flask import Flask

from app.openai import batches, calls, files, models, webhooks
from app.openai.errors import register_errors

PREFIX = "/v1"


def register_openai(app: Flask) -> None:
    """Give the application this face, and its way to speak of errors below `/v1`."""
    for module in (files, batches, calls, models, webhooks):
        app.register_blueprint(module.blueprint, url_prefix=PREFIX)
    register_errors(app, PREFIX)
