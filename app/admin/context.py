"""What the admin page is given by the application that serves it."""

from typing import cast

from flask import current_app

from app.runtime import Runtime


def runtime() -> Runtime:
    """The parts of this process, as the application keeps them."""
    return cast("Runtime", current_app.extensions["hivebatch"])
