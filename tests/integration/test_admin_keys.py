"""The page of API keys: secrets are shown once, and what a key may is what its page says."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory
from werkzeug.test import TestResponse

from app import create_app, ids
from app.clock import now
from app.runtime import Runtime
from app.services import keys
from app.services.views import KeyView
from app.states import Scope
from tests.factories import database_is_away, interposed
from tests.integration.browsers import logged_in, press
from tests.integration.conformance import checked_client
from tests.integration.rest import Rest
from tests.webhooks import register

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def page(clock: FrozenDateTimeFactory, runtime: Runtime) -> Iterator[FlaskClient]:
    """A browser of an operator, on a quiet day."""
    with logged_in(runtime) as browser:
        yield browser


def new_id(page: FlaskClient) -> str:
    (found,) = re.findall(r'name="key" value="(key_\w+)"', page.get("/admin/keys").text)
    return str(found)


def secret_of(response: TestResponse) -> str:
    (found,) = set(re.findall(r"hb_[\w-]{43}", response.text))
    return str(found)


def only(runtime: Runtime) -> KeyView:
    (key,) = keys.listing(runtime)
    return key


def test_nobody_has_a_key_yet_and_the_page_says_how_to_make_one(page: FlaskClient) -> None:
    assert "hivebatch keys create OWNER" in page.get("/admin/keys").text


def test_a_key_is_made_its_secret_shown_once_and_it_opens_the_api(
    page: FlaskClient, runtime: Runtime, client: FlaskClient
) -> None:
    made = press(page, "/admin/keys/new", key=new_id(page), owner="alice", name=HOSTILE, scope=["read", "write"])
    assert made.headers["Cache-Control"] == "no-store"
    secret = secret_of(made)
    listed = page.get("/admin/keys").text
    assert secret not in listed
    assert HOSTILE not in listed
    assert "&lt;script&gt;" in listed
    Rest(client, secret).submit("a")
    assert only(runtime).scopes == (Scope.READ, Scope.WRITE)


def test_the_same_form_makes_one_key(page: FlaskClient, runtime: Runtime) -> None:
    form = {"key": new_id(page), "owner": "alice", "scope": "read"}
    press(page, "/admin/keys/new", **form)
    again = press(page, "/admin/keys/new", **form)
    assert "This key was made already; its secret is not shown again." in again.text
    assert only(runtime).id == ids.read("key", form["key"])


@pytest.mark.parametrize("form", [{"owner": ""}, {"owner": "x" * 65}, {"scope": []}, {"scope": "everything"}])
def test_a_key_without_an_owner_or_a_scope_is_not_made(
    page: FlaskClient, runtime: Runtime, form: dict[str, object]
) -> None:
    refused = press(page, "/admin/keys/new", **{"key": new_id(page), "owner": "alice", "scope": "read"} | form)
    assert "No key was made" in refused.text
    assert keys.listing(runtime) == ()


@pytest.mark.parametrize("key", ["", "key_1", "batch_" + "0" * 32, "key_" + "0" * 32])
def test_a_form_with_another_id_than_ours_makes_nothing(page: FlaskClient, runtime: Runtime, key: str) -> None:
    assert press(page, "/admin/keys/new", key=key, owner="alice", scope="read").status_code == 404
    assert keys.listing(runtime) == ()


def test_a_rotated_key_opens_for_another_day_beside_the_new_one(
    page: FlaskClient, runtime: Runtime, client: FlaskClient, clock: FrozenDateTimeFactory
) -> None:
    old = keys.create(runtime, "alice", "x", scopes=[Scope.READ])
    path = f"/admin/keys/{ids.show('key', old.key.id)}/rotate"
    new = secret_of(press(page, path, keep="on"))
    assert "ending" in page.get("/admin/keys").text
    assert "was rotated already" in press(page, path, keep="on").text
    for secret in (old.secret, new):
        assert Rest(client, secret).get("/api/batches").status_code == 200
    clock.tick(timedelta(hours=24))
    assert Rest(client, old.secret).get("/api/batches").status_code == 401
    assert Rest(client, new).get("/api/batches").status_code == 200
    assert {key.scopes for key in keys.listing(runtime)} == {(Scope.READ,)}


def test_a_key_that_got_about_is_ended_at_once_by_a_rotation_or_later(
    page: FlaskClient, runtime: Runtime, client: FlaskClient
) -> None:
    one, other = (keys.create(runtime, "alice", "x") for _ in range(2))
    press(page, f"/admin/keys/{ids.show('key', one.key.id)}/rotate")
    press(page, f"/admin/keys/{ids.show('key', other.key.id)}/rotate", keep="on")
    assert Rest(client, one.secret).get("/api/batches").status_code == 401
    assert Rest(client, other.secret).get("/api/batches").status_code == 200
    press(page, f"/admin/keys/{ids.show('key', other.key.id)}/revoke")
    assert Rest(client, other.secret).get("/api/batches").status_code == 401


def test_keys_come_newest_first_over_pages(page: FlaskClient, runtime: Runtime) -> None:
    made = [ids.show("key", keys.create(runtime, "alice", str(number)).key.id) for number in range(51)]
    first = page.get("/admin/keys").text
    (following,) = re.findall(r'href="([^"]+)" rel="next"', first)
    second = page.get(following).text
    assert re.findall(r"/admin/keys/(key_\w+)/revoke", first + second) == made[::-1]
    assert "Older keys" not in second


# --- what a key may, and when it was used ---


def test_a_key_for_reading_changes_nothing_and_sees_no_secret(runtime: Runtime, client: FlaskClient) -> None:
    made = keys.create(runtime, "alice", "x", scopes=[Scope.READ])
    reading, writing = Rest(client, made.secret), Rest(client, keys.create(runtime, "alice", "y").secret)
    batch = writing.submit("a")
    assert reading.get(f"/api/batches/{batch['id']}").status_code == 200
    for refused in (
        reading.post("/api/batches", {"jobs": []}),
        reading.post(f"/api/batches/{batch['id']}/cancel"),
        reading.post("/v1/chat/completions", {"model": "x", "messages": []}),
    ):
        assert refused.status_code == 403
        assert "may not write" in refused.text
    path = f"/api/webhooks/{ids.show('webhook', register(runtime))}/secret"
    assert (reading.get(path).status_code, writing.get(path).status_code) == (403, 200)


def test_a_key_for_writing_alone_sees_nothing(runtime: Runtime, client: FlaskClient) -> None:
    api = Rest(client, keys.create(runtime, "alice", "x", scopes=[Scope.WRITE]).secret)
    batch = api.submit("a")
    assert api.get(f"/api/batches/{batch['id']}").status_code == 403


def test_the_last_use_of_a_key_is_kept_to_the_minute(
    runtime: Runtime, client: FlaskClient, clock: FrozenDateTimeFactory
) -> None:
    api = Rest(client, keys.create(runtime, "alice", "x").secret)
    assert only(runtime).last_used_at is None
    begun = now()
    noted = []
    for seconds in (0, 59, 1, 59):
        clock.tick(seconds)
        api.get("/api/batches")
        noted.append(only(runtime).last_used_at)
    assert noted == [begun, begun, begun + timedelta(seconds=60), begun + timedelta(seconds=60)]


def test_a_read_is_answered_though_its_use_can_not_be_noted(runtime: Runtime) -> None:
    made = keys.create(runtime, "alice", "x")
    for before in ({1: database_is_away}, {}):
        browser = checked_client(create_app(interposed(runtime, before=before)))
        assert Rest(browser, made.secret).get("/api/batches").status_code == 200
        assert (only(runtime).last_used_at is None) is bool(before)


def test_a_revoked_key_is_not_used(runtime: Runtime, client: FlaskClient) -> None:
    made = keys.create(runtime, "alice", "x")
    keys.revoke(runtime, made.key.id)
    assert Rest(client, made.secret).get("/api/batches").status_code == 401
    assert only(runtime).last_used_at is None
