"""Requests as they arrive, and what reading one gives."""

from collections.abc import Callable

from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from app.services.views import BadLine, NewBatch, NewJob

Lines = list[NewJob | BadLine]
ReadBatch = Callable[..., tuple[NewBatch, Lines]]


def make_request(body: bytes, media_type: str | None, query: str = "", path: str = "/api/batches") -> Request:
    return EnvironBuilder(path, method="POST", data=body, content_type=media_type, query_string=query).get_request()
