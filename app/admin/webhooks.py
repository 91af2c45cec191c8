"""The pages of webhooks: endpoints, what is on its way to them, and what can be done about it."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app import ids
from app.admin import acting, live
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.admin.deliveries import SPANS
from app.errors import Conflict, InvalidInput, Problem
from app.services import endpointchanges, endpoints, resending
from app.services.endpointchanges import Changes
from app.services.webhookviews import COUNTED, EndpointView
from app.states import DeliveryState, EventType

ENDPOINTS_A_PAGE = 25
DELIVERIES_A_PAGE = 50


@admin.get("/webhooks")
def webhooks() -> Response:
    """All endpoints, newest first, whoever's they are."""
    page = endpoints.listing(runtime(), None, request.args.get("cursor"), ENDPOINTS_A_PAGE)
    outlooks = resending.outlooks(runtime(), [each.id for each in page.items])
    first = "cursor" not in request.args
    html = render_template(
        "admin/webhooks.html", page=page, outlooks=outlooks, counted=COUNTED, state_of=state_of, is_first_page=first
    )
    return live.answer(html)


@admin.get("/webhooks/<shown>")
def webhook(shown: str) -> Response:
    """One endpoint with what was sent there, all or by `?state=`."""
    endpoint_id = ids.read("webhook", shown)
    view, state = endpoints.get(runtime(), None, endpoint_id), _state()
    log = resending.log(runtime(), None, endpoint_id, state, request.args.get("cursor"), DELIVERIES_A_PAGE)
    html = render_template(
        "admin/webhook.html",
        endpoint=view,
        shown=shown,
        outlook=resending.outlooks(runtime(), [endpoint_id])[endpoint_id],
        state=state_of(view),
        log=log,
        of_state=state,
        states=list(DeliveryState),
        spans=SPANS,
        counted=COUNTED,
        is_first_page="cursor" not in request.args,
    )
    return live.answer(html)


@admin.post("/webhooks/<shown>/test")
def test_endpoint(shown: str) -> Response:
    """Send an example, and show what came of it."""
    try:
        type_ = EventType(request.form.get("type", ""))
    except ValueError as error:
        raise InvalidInput([Problem("There is no such event.", "/type")]) from error
    tried = resending.test(runtime(), None, ids.read("webhook", shown), type_, acting.by())
    return redirect(url_for("admin.delivery", shown=ids.show("delivery", tried.delivery.id)), 303)


@admin.post("/webhooks/<shown>/disable")
def disable_webhook(shown: str) -> Response:
    """Send nothing more there."""
    return _switched(shown, Changes(is_enabled=False), "Nothing more is sent there until somebody enables it.")


@admin.post("/webhooks/<shown>/enable")
def enable_webhook(shown: str) -> Response:
    """Send there again."""
    return _switched(shown, Changes(is_enabled=True), "It hears of batches again. What it missed can be sent again.")


def _switched(shown: str, changes: Changes, told: str) -> Response:
    endpointchanges.change(runtime(), None, ids.read("webhook", shown), changes, acting.by())
    flash(told, "done")
    return _back(shown)


@admin.post("/webhooks/<shown>/rotate")
def rotate_webhook(shown: str) -> ResponseReturnValue:
    """Give an endpoint another secret, and show it this once."""
    try:
        made = endpointchanges.rotate(
            runtime(),
            None,
            ids.read("webhook", shown),
            keeps_old="keep" in request.form,
            hint=request.form.get("hint", ""),
            by=acting.by(),
        )
    except Conflict as refused:
        flash(f"Nothing was changed: {refused}", "refused")
        return _back(shown)
    words = "The receiver checks signatures with it. Its owner can fetch it over the API as well."
    back = url_for("admin.webhook", shown=shown)
    title = "The new secret"
    return render_template("admin/secret.html", title=title, secret=made.secret, words=words, back=back)


def state_of(view: EndpointView) -> str:
    """How it stands with an endpoint, in a word."""
    if view.disabled_at is not None:
        return "disabled"
    return "enabled" if view.failing_since is None else "failing"


def _state() -> DeliveryState | None:
    given = request.args.get("state")
    if given is not None and given not in list(DeliveryState):
        raise InvalidInput([Problem(f"No delivery is ever '{given[:80]}'.", value=given[:80])])
    return DeliveryState(given) if given else None


def _back(shown: str) -> Response:
    return redirect(url_for("admin.webhook", shown=shown), 303)
