"""Who gets in, for how long, and how often one may guess."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory

from app.admin.passwords import hashed
from tests.unit.admin.conftest import PASSWORD, VIEWERS_PASSWORD, MakeApp, log_in, token_of

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
    client = make_app(admin_password=configured, viewer_password=configured).test_client()
    page = client.get("/admin/login")
    assert "No password is configured" in page.text
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


def test_who_guesses_keeps_nobody_out_who_was_here_before(client: FlaskClient, clock: FrozenDateTimeFactory) -> None:
    log_in(client)
    client.post("/admin/logout", data={"token": token_of(client.get(SOMEWHERE))})
    stranger = client.application.test_client()
    assert [log_in(stranger, f"guess {n}").status_code for n in range(11)] == [403] * 10 + [429]
    assert log_in(stranger).status_code == 429
    assert log_in(client).status_code == 303


def test_who_was_here_before_may_guess_no_more_than_a_stranger(client: FlaskClient) -> None:
    log_in(client)
    client.post("/admin/logout", data={"token": token_of(client.get(SOMEWHERE))})
    assert [log_in(client, f"guess {n}").status_code for n in range(11)] == [403] * 10 + [429]
    assert log_in(client.application.test_client()).status_code == 303


@pytest.mark.parametrize("cookie", ["", "me", "me.", "me.x", ".", ".x"])
def test_a_browser_is_known_by_no_cookie_of_its_own_making(client: FlaskClient, cookie: str) -> None:
    name = client.application.config["SESSION_COOKIE_NAME"] + "_browser"
    stranger = client.application.test_client()
    for n in range(10):
        log_in(stranger, f"guess {n}")
    client.set_cookie(name, cookie, path="/admin/login")
    assert log_in(client).status_code == 429


def test_a_browser_stays_known_when_the_secret_key_is_rotated(make_app: MakeApp) -> None:
    before = make_app().test_client()
    log_in(before)
    name = before.application.config["SESSION_COOKIE_NAME"] + "_browser"
    cookie = before.get_cookie(name, path="/admin/login")
    assert cookie is not None
    rotated = make_app()
    rotated.secret_key, rotated.config["SECRET_KEY_FALLBACKS"] = "n" * 40, ["k" * 40]
    after = rotated.test_client()
    for n in range(10):
        log_in(rotated.test_client(), f"guess {n}")
    after.set_cookie(name, cookie.value, path="/admin/login")
    assert log_in(after).status_code == 303


def test_ten_wrong_passwords_over_ten_minutes_lock_nobody_out(
    client: FlaskClient, clock: FrozenDateTimeFactory
) -> None:
    for guess in range(10):
        log_in(client, f"guess {guess}")
        clock.tick(timedelta(minutes=1))
    assert log_in(client).status_code == 303


def test_a_login_ends_after_twelve_hours_even_when_used(client: FlaskClient, clock: FrozenDateTimeFactory) -> None:
    log_in(client)
    for _ in range(12 * 3 - 1):
        clock.tick(timedelta(minutes=20))
        assert client.get(SOMEWHERE).status_code == 404
    clock.tick(timedelta(minutes=20))
    assert client.get(SOMEWHERE).status_code == 302


def test_a_login_ends_when_nobody_was_there_for_half_an_hour(client: FlaskClient, clock: FrozenDateTimeFactory) -> None:
    log_in(client)
    clock.tick(timedelta(minutes=29, seconds=59))
    assert client.get(SOMEWHERE).status_code == 404
    clock.tick(timedelta(minutes=30))
    assert client.get(SOMEWHERE).status_code == 302


def test_a_page_that_refreshes_itself_keeps_nobody_logged_in(client: FlaskClient, clock: FrozenDateTimeFactory) -> None:
    log_in(client)
    for _ in range(2):
        clock.tick(timedelta(minutes=14))
        refreshed = client.get(f"{SOMEWHERE}?part=live")
        assert refreshed.status_code == 404
        assert "Set-Cookie" not in refreshed.headers
    clock.tick(timedelta(minutes=2))
    assert client.get(f"{SOMEWHERE}?part=live").status_code == 302


def test_not_every_answer_sets_the_cookie_again(client: FlaskClient, clock: FrozenDateTimeFactory) -> None:
    log_in(client)
    client.get(SOMEWHERE)
    clock.tick(timedelta(seconds=59))
    assert "Set-Cookie" not in client.get(SOMEWHERE).headers
    clock.tick(timedelta(seconds=1))
    assert "Set-Cookie" in client.get(SOMEWHERE).headers


@pytest.mark.parametrize(("password", "role"), [(PASSWORD, "operator"), (VIEWERS_PASSWORD, "viewer")])
def test_each_password_opens_the_page_as_its_role(client: FlaskClient, password: str, role: str) -> None:
    log_in(client, password)
    with client.session_transaction("/admin/login") as session:
        assert session["role"] == role


def test_a_session_of_a_role_that_does_not_exist_opens_nothing(client: FlaskClient) -> None:
    log_in(client)
    with client.session_transaction("/admin/login") as session:
        session["role"] = "owner"
    assert client.get(SOMEWHERE).status_code == 302


def test_a_viewer_does_not_become_an_operator_by_another_word_in_the_session(client: FlaskClient) -> None:
    log_in(client, VIEWERS_PASSWORD)
    with client.session_transaction("/admin/login") as session:
        session["role"] = "operator"
    assert client.get(SOMEWHERE).status_code == 302


def test_the_hash_of_a_password_is_enough_to_configure_it(make_app: MakeApp) -> None:
    client = make_app(admin_password=hashed(PASSWORD), viewer_password=None).test_client()
    assert log_in(client, "open barley").status_code == 403
    assert log_in(client, hashed(PASSWORD)).status_code == 403
    assert log_in(client).status_code == 303


def test_a_hash_that_never_was_one_opens_nothing(make_app: MakeApp) -> None:
    client = make_app(admin_password="$argon2id$v=19$m=19456,t=2,p=1$x$x", viewer_password=None).test_client()
    assert log_in(client, "x").status_code == 403


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
    cookies = log_in(client).headers.getlist("Set-Cookie")
    assert len(cookies) == 2
    for cookie in cookies:
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
