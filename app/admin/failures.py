"""Errors as pages."""

import logging
import traceback

from flask import request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from app.admin import pages
from app.admin.blueprint import admin
from app.errors import DatabaseUnavailable, InvalidInput, NotFound, TooManyAtOnce

logger = logging.getLogger(__name__)


@admin.errorhandler(NotFound)
def not_found(error: NotFound) -> ResponseReturnValue:
    """No such batch or job."""
    return pages.failure("Not found", str(error)), 404


@admin.errorhandler(InvalidInput)
def invalid(error: InvalidInput) -> ResponseReturnValue:
    """A link that somebody edited."""
    return pages.failure("This link does not work", str(error)), 400


@admin.errorhandler(DatabaseUnavailable)
def unavailable(error: DatabaseUnavailable) -> ResponseReturnValue:
    """The database is away."""
    logger.warning("database_unavailable route=%s: %s", request.url_rule, error)
    trouble = error.trouble[0].upper() + error.trouble[1:]
    message = f"{trouble}. Nothing can be shown or changed until that is over. Try again in a few seconds."
    return pages.failure("The database is not available", message), 503, {"Retry-After": "5"}


@admin.errorhandler(TooManyAtOnce)
def too_many(error: TooManyAtOnce) -> ResponseReturnValue:
    """As many long requests are under way as may be at once."""
    return pages.failure("Too much at once", str(error)), 503, {"Retry-After": "1"}


@admin.errorhandler(HTTPException)
def refused(error: HTTPException) -> ResponseReturnValue:
    """What Flask refuses: a form that is too large, a page that doesn't exist."""
    return pages.failure(error.name, error.description or ""), error.code or 500


@admin.errorhandler(Exception)
def broken(error: Exception) -> ResponseReturnValue:
    """A fault of ours. Its message may hold a prompt, so only its kind and its place are logged."""
    place = "".join(traceback.format_tb(error.__traceback__))
    logger.error("request_failed route=%s error=%s\n%s", request.url_rule, type(error).__name__, place)
    message = "Something is wrong on our side; the log of the service has it."
    return pages.failure("This did not work", message), 500
