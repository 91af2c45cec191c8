"""Who gets in, for how long, and how often one may guess."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory

from tests.unit.admin.conftest import MakeApp, log_in, token_of

SOMEWHERE = "/admin/somewhere"  # a page that needs a login and no database: it answers 404 to whoever is in


def test_the_right_password_opens_the_page(client: FlaskClient) -> None:
    response = log_in(client)
    assert (response.status_code, response.location) == (303, "/admin/")
    assert client.get(SOMEWHERE).status_code == 404


def test_a_wrong_password_opens_nothing(client: FlaskClient) -> None:
    response = log_in(client, "open barley")
    assert response.status_code == 403
    assert "That is not the password." in response.text
    assert client.get(SOMEWHERE).status_code == 302


@pytest.mark.parametrize("password", ["", "öpen ☂", "open sesame\x00", "x" * 9000])
def test_an_odd_password_is_only_wrong(client: FlaskClient, password: str) -> None:
    assert log_in(client, password).status_code == 403


def test_a_password_beyond_ascii_opens_the_page(make_app: MakeApp) -> None:
    client = make_app(admin_password="sésame ☂").test_client()
    assert log_in(client, "sésame ☂").status_code == 303


@pytest.mark.parametrize("configured", [None, ""])
def test_without_a_configured_password_nobody_gets_in(make_app: MakeApp, configured: str | None) -> None:
    client = make_app(admin_password=configured).test_client()
    page = client.get("/admin/login")
    assert "No admin password is configured" in page.text
    with client.session_transaction("/admin/login") as session:
        session["token"] = "known"
    response = client.post("/admin/login", data={"token": "known", "password": ""})
    assert response.status_code == 403
    assert client.get(SOMEWHERE).status_code == 302


def test_after_ten_wrong_passwords_even_the_right_one_waits_a_minute(
    client: FlaskClient, clock: FrozenDateTimeFactory
) -> None:
    assert {log_in(client, f"guess {n}").status_code for n in range(10)} == {403}
    refused = log_in(client)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "60"
    assert "Try again in 60 s." in refused.text
    clock.tick(timedelta(seconds=60))
    assert log_in(client).status_code == 303


def test_ten_wrong_passwords_over_ten_minutes_lock_nobody_out(
    client: FlaskClient, clock: FrozenDateTimeFactory
) -> None:
    for guess in range(10):
        log_in(client, f"guess {guess}")
        clock.tick(timedelta(minutes=1))
    assert log_in(client).status_code == 303


def test_a_login_ends_after_twelve_hours_even_when_used(client: FlaskClient, clock: FrozenDateTimeFactory) -> None:
    log_in(client)
    for _ in range(11):
        clock.tick(timedelta(hours=1))
        assert client.get(SOMEWHERE).status_code == 404
    clock.tick(timedelta(hours=1))
    assert client.get(SOMEWHERE).status_code == 302


def test_a_changed_password_ends_every_login(make_app: MakeApp) -> None:
    before = make_app().test_client()
    log_in(before)
    name = before.application.config["SESSION_COOKIE_NAME"]
    cookie = before.get_cookie(name, path="/admin")
    assert cookie is not None
    after = make_app(admin_password="another").test_client()
    after.set_cookie(name, cookie.value, path="/admin")
    assert after.get(SOMEWHERE).status_code == 302


def test_the_session_is_made_anew_at_login(client: FlaskClient) -> None:
    before = token_of(client.get("/admin/login"))
    log_in(client)
    assert token_of(client.get(SOMEWHERE)) != before


def test_logging_out_ends_the_login(client: FlaskClient) -> None:
    log_in(client)
    response = client.post("/admin/logout", data={"token": token_of(client.get(SOMEWHERE))})
    assert (response.status_code, response.location) == (303, "/admin/login")
    assert client.get(SOMEWHERE).status_code == 302


def test_a_page_asked_for_before_the_login_comes_after_it(client: FlaskClient) -> None:
    asked = client.get("/admin/batches/batch_1?state=failed")
    assert asked.status_code == 302
    assert log_in(client, path=asked.location).location == "/admin/batches/batch_1?state=failed"


@pytest.mark.parametrize("elsewhere", ["https://evil.test/", "//evil.test/admin/", "/api/batches", "\\\\evil.test"])
def test_the_login_leads_nowhere_else(client: FlaskClient, elsewhere: str) -> None:
    response = log_in(client, path=f"/admin/login?{urlencode({'next': elsewhere})}")
    assert response.location == "/admin/"


def test_whoever_is_in_does_not_see_the_login_again(client: FlaskClient) -> None:
    log_in(client)
    assert client.get("/admin/login").location == "/admin/"


def test_the_cookie_is_kept_from_scripts_and_other_sites(client: FlaskClient) -> None:
    cookie = log_in(client).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/admin" in cookie
    assert "Secure" not in cookie


def test_the_cookie_of_an_https_installation_stays_on_https(make_app: MakeApp) -> None:
    client = make_app(public_url="https://hivebatch.test").test_client()
    assert "Secure" in client.get("/admin/login", base_url="https://hivebatch.test").headers["Set-Cookie"]


def test_two_installations_on_one_host_have_cookies_of_their_own(make_app: MakeApp) -> None:
    one, other = make_app(), make_app(secret_key="o" * 40)
    assert one.config["SESSION_COOKIE_NAME"] != other.config["SESSION_COOKIE_NAME"]
