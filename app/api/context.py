"""What a request needs from around it: the runtime of this process and the owner whose key opened the door."""

from typing import cast

from flask import current_app, g

from app.runtime import Runtime


def runtime() -> Runtime:
    """The runtime that the application was made with."""
    return cast("Runtime", current_app.extensions["hivebatch"])


def owner() -> str:
    """The owner that the request's key belongs to; set by an operation with `auth="key"`."""
    return cast("str", g.owner)
