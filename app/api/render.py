"""Writing responses: one JSON object, a stream of them, or nothing."""

from collections.abc import Iterable

from flask import Response
from pydantic import BaseModel

from app.api.body import JSON, NDJSON


def answer(model: BaseModel, status: int = 200, *, headers: dict[str, str] | None = None) -> Response:
    """A response with this object."""
    return Response(model.model_dump_json(by_alias=True), status, headers, content_type=JSON)


def stream(models: Iterable[BaseModel], headers: dict[str, str]) -> Response:
    """A response with one object a line, each written when the one before is gone; absent fields are left out."""
    return lines((model.model_dump_json(exclude_none=True) + "\n" for model in models), headers)


def lines(written: Iterable[str], headers: dict[str, str] | None = None) -> Response:
    """A response with these lines, each with its end, as they come."""
    return Response(written, headers=headers, content_type=NDJSON)


def nothing() -> Response:
    """A response without a body."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response
