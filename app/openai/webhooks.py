"""Webhook endpoints in OpenAI's words: make, look, change, rotate the secret, test, delete."""

from collections.abc import Sequence

from flask import Blueprint, Response, request

from app import ids
from app.api import render
from app.api.body import JSON, received
from app.api.context import owner, runtime
from app.api.operations import Answer
from app.errors import InvalidInput
from app.openai.errors import InvalidRequest
from app.openai.operations import declare
from app.openai.reading import T, query, read
from app.openai.schemas import seconds
from app.openai.webhookschemas import (
    OpenAiEventTypeList,
    OpenAiNewWebhook,
    OpenAiRotation,
    OpenAiWebhook,
    OpenAiWebhookChange,
    OpenAiWebhookDeleted,
    OpenAiWebhookList,
    OpenAiWebhookListQuery,
    OpenAiWebhookTest,
    OpenAiWebhookTestResult,
    OpenAiWebhookWithSecret,
)
from app.services import endpointchanges, endpoints, resending
from app.services.endpointchanges import Changes
from app.services.endpoints import NewSecret
from app.services.webhookviews import EndpointView
from app.states import EventType

blueprint = Blueprint("openai_webhooks", __name__)


@blueprint.get("/webhook_event_types")
@declare(summary="List what an endpoint can be told of", answers={200: Answer("All of it.", OpenAiEventTypeList)})
def list_openai_event_types() -> Response:
    """Every type of event."""
    return render.answer(OpenAiEventTypeList(data=list(EventType)))


@blueprint.post("/webhook_endpoints")
@declare(
    summary="Register a URL to be told of batches",
    bodies={JSON: OpenAiNewWebhook},
    needs_body=True,
    answers={200: Answer("It is registered.", OpenAiWebhookWithSecret)},
    problems=(413, 415),
)
def create_openai_webhook() -> Response:
    """Make an endpoint."""
    said = _said(OpenAiNewWebhook)
    made = endpoints.create(runtime(), owner(), said.url, _types(said.event_types), said.name)
    return _with_secret(made)


@blueprint.get("/webhook_endpoints")
@declare(
    summary="List endpoints, the newest first",
    query=OpenAiWebhookListQuery,
    answers={200: Answer("One page.", OpenAiWebhookList)},
)
def list_openai_webhooks() -> Response:
    """One page of the owner's endpoints."""
    said = query(OpenAiWebhookListQuery)
    try:
        page = endpoints.listing(runtime(), owner(), said.after, said.limit)
    except InvalidInput as error:
        raise InvalidRequest(str(error), "after") from error
    data = [_shown(view) for view in page.items]
    first, last = (data[0].id, data[-1].id) if data else (None, None)
    has_more = page.next_cursor is not None
    return render.answer(OpenAiWebhookList(data=data, has_more=has_more, first_id=first, last_id=last))


@blueprint.get("/webhook_endpoints/<endpoint>")
@declare(summary="See an endpoint", answers={200: Answer("The endpoint.", OpenAiWebhook)}, problems=(404,))
def get_openai_webhook(endpoint: str) -> Response:
    """One endpoint."""
    return render.answer(_shown(endpoints.get(runtime(), owner(), ids.read("webhook", endpoint))))


@blueprint.post("/webhook_endpoints/<endpoint>")
@declare(
    summary="Change an endpoint",
    bodies={JSON: OpenAiWebhookChange},
    answers={200: Answer("The endpoint as it is now.", OpenAiWebhook)},
    problems=(404, 413, 415),
)
def change_openai_webhook(endpoint: str) -> Response:
    """Change an endpoint."""
    said = _said(OpenAiWebhookChange)
    types = None if said.event_types is None else _types(said.event_types)
    changes = Changes(said.name, said.url, types)
    return render.answer(_shown(endpointchanges.change(runtime(), owner(), ids.read("webhook", endpoint), changes)))


@blueprint.delete("/webhook_endpoints/<endpoint>")
@declare(summary="Delete an endpoint", answers={200: Answer("It is gone.", OpenAiWebhookDeleted)}, problems=(404,))
def delete_openai_webhook(endpoint: str) -> Response:
    """Delete an endpoint."""
    endpointchanges.remove(runtime(), owner(), ids.read("webhook", endpoint))
    return render.answer(OpenAiWebhookDeleted(id=endpoint))


@blueprint.post("/webhook_endpoints/<endpoint>/rotate_secret")
@declare(
    summary="Give an endpoint a new secret",
    bodies={JSON: OpenAiRotation},
    answers={200: Answer("The new secret.", OpenAiWebhookWithSecret)},
    problems=(404, 413, 415),
)
def rotate_openai_secret(endpoint: str) -> Response:
    """Rotate the secret of an endpoint."""
    keeps_old = bool(_said(OpenAiRotation).keep_old_secret_active_for_24_hours)
    return _with_secret(endpointchanges.rotate(runtime(), owner(), ids.read("webhook", endpoint), keeps_old=keeps_old))


@blueprint.post("/webhook_endpoints/<endpoint>/test")
@declare(
    summary="Send an example to an endpoint now, once, and wait for its answer",
    bodies={JSON: OpenAiWebhookTest},
    needs_body=True,
    answers={200: Answer("It answered.", OpenAiWebhookTestResult)},
    problems=(404, 413, 415),
    is_long=True,
)
def test_openai_webhook(endpoint: str) -> Response:
    """Try an endpoint out."""
    (type_,) = _types([_said(OpenAiWebhookTest).event_type], "event_type")
    tried = resending.test(runtime(), owner(), ids.read("webhook", endpoint), type_, None).delivery
    if tried.http_status is None:
        raise InvalidRequest(f"The endpoint gave no answer: {tried.error}", "url")
    answered = OpenAiWebhookTestResult(
        webhook_endpoint_id=endpoint, event_type=tried.type, status_code=tried.http_status
    )
    return render.answer(answered)


def _said(model: type[T]) -> T:
    with received(request, {JSON: runtime().settings.max_line_bytes}) as body:
        return read(model, body.json(default={}))


def _types(given: Sequence[object], param: str = "event_types") -> list[EventType]:
    """Those that there are here: tools may ask for everything that OpenAI has, of which most never happens here."""
    known = [EventType(each) for each in given if isinstance(each, str) and each in list(EventType)]
    if not known:
        words = f"Invalid value for '{param}'. Supported values are: {', '.join(EventType)}."
        raise InvalidRequest(words, param, "invalid_value")
    return known


def _shown(view: EndpointView) -> OpenAiWebhook:
    return OpenAiWebhook(
        id=ids.show("webhook", view.id),
        created_at=seconds(view.created_at),
        event_types=list(view.event_types),
        name=view.name,
        signing_secret_hint=view.secret_hint,
        updated_at=seconds(view.updated_at),
        url=view.url,
    )


def _with_secret(made: NewSecret) -> Response:
    shown = _shown(made.endpoint)
    return render.answer(OpenAiWebhookWithSecret(**shown.model_dump(), signing_secret=made.secret))
