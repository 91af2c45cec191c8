"""What a request needs from around it: the runtime of this process and the owner whose key opened the door."""

from typing import cast

from flask import current_app, g, request

from app.api.bridge import DISCONNECTED
from app.api.gate import Gate
from app.runtime import Runtime


def runtime() -> Runtime:
    """The runtime that the application was made with."""
    return cast("Runtime", current_app.extensions["hivebatch"])


def owner() -> str:
    """The owner that the request's key belongs to; set by an operation with `auth="key"`."""
    return cast("str", g.owner)


def gate() -> Gate:
    """Where requests pass that may hold their thread for long."""
    return cast("Gate", current_app.extensions["gate"])


def is_client_gone() -> bool:
    """Whether nobody is there any more to read the answer; False where the server can't tell."""
    disconnected = request.environ.get("asgi.scope", {}).get(DISCONNECTED)
    return disconnected is not None and disconnected.is_set()
