"""Endpoints of webhooks over HTTP: register, look, change, rotate the secret, remove."""

from flask import Blueprint, Response, request, url_for

from app import ids
from app.api import queries, render
from app.api.body import JSON, received
from app.api.context import owner, runtime
from app.api.operations import Answer, Operation
from app.api.problems import parsed
from app.api.schemas.webhooks import (
    RotationIn,
    WebhookChangeIn,
    WebhookIn,
    WebhookListQuery,
    WebhookOut,
    WebhookPageOut,
    WebhookSecretOut,
)
from app.services import endpointchanges, endpoints
from app.services.endpointchanges import Changes
from app.states import Scope

blueprint = Blueprint("webhooks", __name__, url_prefix="/api/webhooks")


@blueprint.post("")
@Operation(
    summary="Register a URL to be told of batches",
    auth="key",
    bodies={JSON: WebhookIn},
    needs_body=True,
    answers={201: Answer("It is registered.", WebhookSecretOut, headers={"Location": "Where it is."})},
    problems=(413, 415),
)
def create_webhook() -> Response:
    """Make an endpoint."""
    with received(request, {JSON: runtime().settings.max_line_bytes}) as body:
        said = parsed(WebhookIn, body.json())
    made = endpoints.create(runtime(), owner(), said.url, said.event_types, said.name)
    shown = url_for("webhooks.get_webhook", webhook_id=ids.show("webhook", made.endpoint.id))
    return render.answer(WebhookSecretOut.model_validate(made), 201, headers={"Location": shown})


@blueprint.get("")
@Operation(
    summary="List endpoints, the newest first",
    auth="key",
    query=WebhookListQuery,
    answers={200: Answer("One page.", WebhookPageOut)},
)
def list_webhooks() -> Response:
    """One page of the owner's endpoints."""
    query = queries.read(WebhookListQuery, request.args)
    with queries.as_parameters():
        page = endpoints.listing(runtime(), owner(), query.cursor, query.limit)
    return render.answer(WebhookPageOut.model_validate(page))


@blueprint.get("/<webhook_id>")
@Operation(summary="See an endpoint", auth="key", answers={200: Answer("The endpoint.", WebhookOut)}, problems=(404,))
def get_webhook(webhook_id: str) -> Response:
    """One endpoint."""
    return _answer(endpoints.get(runtime(), owner(), ids.read("webhook", webhook_id)))


@blueprint.patch("/<webhook_id>")
@Operation(
    summary="Change an endpoint, disable it, or enable it again",
    auth="key",
    bodies={JSON: WebhookChangeIn},
    needs_body=True,
    answers={200: Answer("The endpoint as it is now.", WebhookOut)},
    problems=(404, 413, 415),
)
def change_webhook(webhook_id: str) -> Response:
    """Change an endpoint."""
    with received(request, {JSON: runtime().settings.max_line_bytes}) as body:
        said = parsed(WebhookChangeIn, body.json())
    changes = Changes(said.name, said.url, said.event_types, said.enabled)
    return _answer(endpointchanges.change(runtime(), owner(), ids.read("webhook", webhook_id), changes))


@blueprint.delete("/<webhook_id>")
@Operation(
    summary="Remove an endpoint; what is on its way there is given up",
    auth="key",
    answers={204: Answer("It is gone.")},
    problems=(404,),
)
def delete_webhook(webhook_id: str) -> Response:
    """Remove an endpoint."""
    endpointchanges.remove(runtime(), owner(), ids.read("webhook", webhook_id))
    return render.nothing()


@blueprint.get("/<webhook_id>/secret")
@Operation(
    summary="Fetch the secret that signs what is sent to an endpoint",
    auth="key",
    scope=Scope.WRITE,
    answers={200: Answer("The secret.", WebhookSecretOut)},
    problems=(404,),
)
def get_webhook_secret(webhook_id: str) -> Response:
    """The secret of an endpoint."""
    found = endpoints.secret(runtime(), owner(), ids.read("webhook", webhook_id))
    return render.answer(WebhookSecretOut.model_validate(found))


@blueprint.post("/<webhook_id>/rotate")
@Operation(
    summary="Give an endpoint a new secret",
    auth="key",
    bodies={JSON: RotationIn},
    answers={200: Answer("The new secret.", WebhookSecretOut)},
    problems=(404, 413, 415),
)
def rotate_webhook_secret(webhook_id: str) -> Response:
    """Rotate the secret of an endpoint."""
    with received(request, {JSON: runtime().settings.max_line_bytes}) as body:
        said = parsed(RotationIn, body.json(default={}))
    rotated = endpointchanges.rotate(runtime(), owner(), ids.read("webhook", webhook_id), keeps_old=said.keep_old)
    return render.answer(WebhookSecretOut.model_validate(rotated))


def _answer(view: object) -> Response:
    return render.answer(WebhookOut.model_validate(view))
