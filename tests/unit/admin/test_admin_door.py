"""Every route has the door, every answer the headers, every change its proof."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.admin.blueprint import OPEN_ENDPOINTS
from app.admin.headers import POLICY
from tests.unit.admin.conftest import VIEWERS_PASSWORD, MakeApp, log_in, token_of


def _routes(app: Flask) -> list[tuple[str, str]]:
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("admin.")]
    closed = [rule for rule in rules if rule.endpoint not in OPEN_ENDPOINTS]
    assert len(closed) >= 8
    return [
        (method, rule.build(dict.fromkeys(rule.arguments, "x"))[1])  # type: ignore[index]  # x fits every rule
        for rule in closed
        for method in (rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}
    ]


def test_every_route_but_the_login_needs_one(app: Flask) -> None:
    for method, path in _routes(app):
        response = app.test_client().open(path, method=method)
        assert response.status_code in {302, 303}, (method, path)
        assert response.location.startswith("/admin/login"), (method, path)


def test_every_change_needs_the_token_of_the_session(app: Flask) -> None:
    client = app.test_client()
    log_in(client)
    changes = [path for method, path in _routes(app) if method == "POST"]
    assert len(changes) >= 4
    for path in changes:
        for form in ({}, {"token": ""}, {"token": "guessed"}, {"token": "☂"}):
            assert client.post(path, data=form).status_code == 403, path


def test_a_viewer_changes_nothing_and_is_told_so(app: Flask) -> None:
    client = app.test_client()
    log_in(client, VIEWERS_PASSWORD)
    token = token_of(client.get("/admin/somewhere"))
    changes = [path for method, path in _routes(app) if method == "POST" and path != "/admin/logout"]
    assert len(changes) >= 4
    for path in changes:
        response = client.post(path, data={"token": token})
        assert response.status_code == 403, path
        assert "You are logged in as a viewer" in response.text
    assert client.post("/admin/logout", data={"token": token}).status_code == 303


def test_a_part_of_a_page_has_the_whole_page_loaded_when_the_login_has_ended(app: Flask) -> None:
    response = app.test_client().get("/admin/batches/batch_1", headers={"HX-Request": "true"})
    assert (response.status_code, response.headers["HX-Refresh"]) == (401, "true")


def test_nothing_is_changed_by_a_get(app: Flask) -> None:
    client = app.test_client()
    log_in(client)
    for path in (path for method, path in _routes(app) if method == "POST"):
        assert client.get(path).status_code in {400, 404}, path


def test_the_token_of_somebody_else_is_refused(app: Flask) -> None:
    one, other = app.test_client(), app.test_client()
    log_in(one)
    log_in(other)
    theirs = token_of(other.get("/admin/somewhere"))
    assert one.post("/admin/logout", data={"token": theirs}).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"Sec-Fetch-Site": ""}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Origin": "http://localhost"}, 303),
        ({"Origin": "https://hivebatch.test"}, 303),
        ({"Origin": "http://evil.test"}, 403),
        ({"Origin": "http://localhost.evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
    ],
)
def test_a_form_from_another_site_is_refused_even_with_the_token(
    make_app: MakeApp, headers: dict[str, str], status: int
) -> None:
    client = make_app(public_url="https://hivebatch.test").test_client()
    client.application.config["SESSION_COOKIE_SECURE"] = False
    log_in(client)
    token = token_of(client.get("/admin/somewhere"))
    assert client.post("/admin/logout", data={"token": token}, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.test"}, 303),
        ({"Origin": "http://localhost"}, 303),
        ({"Origin": "http://evil.test"}, 403),
    ],
)
def test_a_form_without_the_token_counts_only_if_the_browser_says_that_it_is_ours(
    client: FlaskClient, headers: dict[str, str], status: int
) -> None:
    log_in(client)
    assert client.post("/admin/logout", headers=headers).status_code == status


def test_a_form_after_the_end_of_the_login_changes_nothing_and_says_so(client: FlaskClient) -> None:
    response = client.post("/admin/batches/batch_1/cancel", data={"token": "old"})
    assert response.status_code == 303
    assert "nothing was changed" in client.get(response.location).text


@pytest.mark.parametrize(
    "path", ["/admin", "/admin/", "/admin/login", "/admin/static/admin.css", "/admin/static/none.css", "/admin/nothing"]
)
def test_every_answer_carries_the_strict_headers(client: FlaskClient, path: str) -> None:
    with client.get(path) as response:
        assert response.headers["Content-Security-Policy"] == POLICY
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "same-origin"


def test_no_page_is_kept_and_what_is_the_same_for_all_is_asked_about_each_time(client: FlaskClient) -> None:
    for path in ("/admin/", "/admin/login", "/admin/nothing"):
        assert client.get(path).headers["Cache-Control"] == "no-store"
    with client.get("/admin/static/admin.css") as sheet:
        assert sheet.headers["Cache-Control"] == "no-cache"
    with client.get("/admin/static/admin.css", headers={"If-None-Match": sheet.headers["ETag"]}) as again:
        assert again.status_code == 304


def test_the_headers_stay_below_admin(app: Flask) -> None:
    app.add_url_rule("/administrators", view_func=lambda: "others")
    assert "Content-Security-Policy" not in app.test_client().get("/administrators").headers


def test_a_wrong_method_and_a_broken_view_carry_the_headers_too(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    message = "secret " + "detail"  # in two parts, because the log shows lines of source

    def broken() -> str:
        raise RuntimeError(message)

    app.view_functions["admin.overview"] = broken
    client = app.test_client()
    log_in(client)
    wrong, broke = client.delete("/admin/"), client.get("/admin/")
    assert (wrong.status_code, broke.status_code) == (405, 500)
    assert wrong.headers["Content-Security-Policy"] == broke.headers["Content-Security-Policy"] == POLICY
    assert message not in broke.text + caplog.text
    assert "request_failed route=/admin/ error=RuntimeError" in caplog.text
    assert "Something is wrong on our side" in broke.text


def test_a_large_form_is_refused(client: FlaskClient) -> None:
    response = client.post("/admin/login", data={"token": "x", "password": "x" * 20_000})
    assert response.status_code == 413


def test_a_page_that_does_not_exist_is_a_page(client: FlaskClient) -> None:
    log_in(client)
    response = client.get("/admin/<script>alert(1)</script>")
    assert response.status_code == 404
    assert "<h1>Not Found</h1>" in response.text
    assert "<script>" not in response.text


@pytest.mark.parametrize("shown", ["batch_1", "job_" + "0" * 32, "batch_" + "z" * 32, "☂"])
def test_what_can_not_be_a_batch_id_is_not_found(client: FlaskClient, shown: str) -> None:
    log_in(client)
    response = client.get(f"/admin/batches/{shown}")
    assert response.status_code == 404
    assert "No batch found" in response.text


def test_a_state_that_no_job_has_is_a_bad_link(client: FlaskClient) -> None:
    log_in(client)
    response = client.get(f"/admin/batches/batch_{'0' * 32}?state=<b>")
    assert response.status_code == 400
    assert "state &#39;&lt;b&gt;&#39;" in response.text


def test_without_a_database_the_page_says_so(client: FlaskClient) -> None:
    log_in(client)
    response = client.get("/admin/batches")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "The database is not available" in response.text
    assert "The database&#39;s file can&#39;t be opened." in response.text
