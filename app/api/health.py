"""What operators and tools ask of the service itself."""

from flask import Blueprint, Response, current_app, json

from app.api import openapi, render
from app.api.body import JSON
from app.api.context import runtime
from app.api.operations import Answer, Operation
from app.api.schemas.health import DocumentOut, HealthOut, ReadyOut
from app.services import health

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@Operation(summary="Does the process answer", auth="none", answers={200: Answer("It does.", HealthOut)})
def healthz() -> Response:
    """Alive; the database is not asked."""
    return render.answer(HealthOut())


@blueprint.get("/readyz")
@Operation(
    summary="Can this process keep what it is given",
    auth="none",
    answers={200: Answer("It can.", ReadyOut), 503: Answer("It can't; the reason is in the body.", ReadyOut)},
)
def readyz() -> Response:
    """Ready or not. Workers that are gone show in the body only: they must not cut off callbacks."""
    readiness = health.readiness(runtime())
    return render.answer(ReadyOut.of(readiness), 200 if readiness.is_ready else 503)


@blueprint.get("/openapi.json")
@Operation(summary="This document", auth="none", answers={200: Answer("OpenAPI 3.1.", DocumentOut)})
def openapi_document() -> Response:
    """The description of the API, made from its code."""
    return Response(json.dumps(openapi.build(current_app)), content_type=JSON)
