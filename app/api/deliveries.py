"""Deliveries of webhooks over HTTP: the log, sending again, a test."""

from datetime import datetime

from flask import Blueprint, Response, request

from app import ids
from app.api import queries, render
from app.api.body import JSON, received
from app.api.context import owner, runtime
from app.api.operations import Answer, Operation
from app.api.problems import parsed
from app.api.schemas.webhooks import (
    DeliveryDetailOut,
    DeliveryListQuery,
    DeliveryOut,
    DeliveryPageOut,
    ExampleIn,
    ResentOut,
    SinceIn,
)
from app.services import resending

blueprint = Blueprint("deliveries", __name__, url_prefix="/api")


@blueprint.post("/webhooks/<webhook_id>/test")
@Operation(
    summary="Send an example to an endpoint now, once, and wait for what comes of it",
    auth="key",
    bodies={JSON: ExampleIn},
    answers={200: Answer("What became of it.", DeliveryDetailOut)},
    problems=(404, 413, 415),
    is_long=True,
)
def test_webhook(webhook_id: str) -> Response:
    """Try an endpoint out."""
    with received(request, {JSON: runtime().settings.max_line_bytes}) as body:
        said = parsed(ExampleIn, body.json(default={}))
    detail = resending.test(runtime(), owner(), ids.read("webhook", webhook_id), said.type, None)
    return render.answer(DeliveryDetailOut.of(detail))


@blueprint.get("/webhooks/<webhook_id>/deliveries")
@Operation(
    summary="List what was sent to an endpoint, the newest first",
    auth="key",
    query=DeliveryListQuery,
    answers={200: Answer("One page.", DeliveryPageOut)},
    problems=(404,),
)
def list_deliveries(webhook_id: str) -> Response:
    """One page of an endpoint's deliveries."""
    query = queries.read(DeliveryListQuery, request.args)
    endpoint_id = ids.read("webhook", webhook_id)
    with queries.as_parameters():
        page = resending.log(runtime(), owner(), endpoint_id, query.state, query.cursor, query.limit)
    return render.answer(DeliveryPageOut.model_validate(page))


@blueprint.post("/webhooks/<webhook_id>/resend_failed")
@Operation(
    summary="Send again what has happened since then and was given up",
    auth="key",
    bodies={JSON: SinceIn},
    needs_body=True,
    answers={200: Answer("They are on their way.", ResentOut)},
    problems=(404, 409, 413, 415),
)
def resend_failed(webhook_id: str) -> Response:
    """Send what failed."""
    resent = resending.resend_failed(runtime(), owner(), ids.read("webhook", webhook_id), _since())
    return render.answer(ResentOut(resent=resent))


def _since() -> datetime:
    with received(request, {JSON: runtime().settings.max_line_bytes}) as body:
        return parsed(SinceIn, body.json()).since


@blueprint.post("/webhooks/<webhook_id>/resend_missing")
@Operation(
    summary="Send what has happened since then and was never on its way to this endpoint",
    auth="key",
    bodies={JSON: SinceIn},
    needs_body=True,
    answers={200: Answer("They are on their way.", ResentOut)},
    problems=(404, 409, 413, 415),
)
def resend_missing(webhook_id: str) -> Response:
    """Send what is missing."""
    resent = resending.resend_missing(runtime(), owner(), ids.read("webhook", webhook_id), _since())
    return render.answer(ResentOut(resent=resent))


@blueprint.get("/deliveries/<delivery_id>")
@Operation(
    summary="See all tries of a delivery, each with the heads of request and response",
    auth="key",
    answers={200: Answer("The delivery.", DeliveryDetailOut)},
    problems=(404,),
)
def get_delivery(delivery_id: str) -> Response:
    """One delivery."""
    return render.answer(DeliveryDetailOut.of(resending.get(runtime(), owner(), ids.read("delivery", delivery_id))))


@blueprint.post("/deliveries/<delivery_id>/resend")
@Operation(
    summary="Send one again, whatever became of it",
    auth="key",
    answers={200: Answer("It is on its way.", DeliveryOut)},
    problems=(404, 409),
)
def resend_delivery(delivery_id: str) -> Response:
    """Send one delivery again."""
    view = resending.resend(runtime(), owner(), ids.read("delivery", delivery_id))
    return render.answer(DeliveryOut.model_validate(view))
