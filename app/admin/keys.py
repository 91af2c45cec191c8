"""The page of API keys: who may use the API, made, rotated and revoked here."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app import clock, ids
from app.admin import acting
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.errors import Conflict, InvalidInput
from app.services import keys as service
from app.services.views import KeyView, NewKey
from app.states import Scope

KEYS_A_PAGE = 50


@admin.get("/keys")
def keys() -> str:
    """All keys, newest first, without their secrets."""
    page = service.page(runtime(), request.args.get("cursor"), KEYS_A_PAGE)
    # With the id of the key that the form would make: sent twice, it makes one.
    new = ids.show("key", ids.new_id())
    first = "cursor" not in request.args
    return render_template(
        "admin/keys.html", page=page, new=new, scopes=list(Scope), state_of=state_of, is_first_page=first
    )


@admin.post("/keys/new")
def create_key() -> ResponseReturnValue:
    """Make a key, and show its secret this once."""
    scopes = [scope for scope in Scope if scope in request.form.getlist("scope")]
    owner, name = (acting.field(field) for field in ("owner", "name"))
    key_id = ids.read_placed("key", request.form.get("key", ""))
    try:
        made = service.create(runtime(), owner, name, scopes=scopes, by=acting.by(), key_id=key_id)
    except (Conflict, InvalidInput) as refused:
        flash(f"No key was made: {refused}", "refused")
        return _back()
    return _secret(made, f"A key of {made.key.owner}")


@admin.post("/keys/<shown>/rotate")
def rotate_key(shown: str) -> ResponseReturnValue:
    """Put a new key in the place of one, and show its secret this once."""
    keeps_old = "keep" in request.form
    try:
        made = service.rotate(runtime(), ids.read("key", shown), keeps_old=keeps_old, by=acting.by())
    except Conflict as refused:
        flash(f"Nothing was changed: {refused}", "refused")
        return _back()
    return _secret(made, f"The new key of {made.key.owner}")


@admin.post("/keys/<shown>/revoke")
def revoke_key(shown: str) -> Response:
    """Make a key useless, for good."""
    key = service.revoke(runtime(), ids.read("key", shown), acting.by())
    flash(f"The key {key.hint} of {key.owner} opens nothing any more.", "done")
    return _back()


def state_of(key: KeyView) -> str:
    """Whether a key opens anything: `active`, `ending` until its `revoked_at`, `revoked`."""
    if key.revoked_at is None:
        return "active"
    return "ending" if key.revoked_at > clock.now() else "revoked"


def _secret(made: NewKey, title: str) -> str:
    words = "Programs send it in the header Authorization, after the word Bearer."
    return render_template("admin/secret.html", title=title, secret=made.secret, words=words, back=_keys_url())


def _back() -> Response:
    return redirect(_keys_url(), 303)


def _keys_url() -> str:
    return url_for("admin.keys")
