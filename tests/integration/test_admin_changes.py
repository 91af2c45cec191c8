"""Every button of the page: strangers and viewers are refused it, and what an operator does is written down."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.admin.acting import MAX_REASON_CHARS
from app.admin.blueprint import OF_VIEWERS_TOO, OPEN_ENDPOINTS
from app.admin.sessions import Role
from app.runtime import Runtime
from app.services import auditlists
from app.services.auditlists import AuditView, Wanted
from tests.factories import PROVIDER
from tests.fakes import FakeOutside
from tests.integration.browsers import logged_in, press
from tests.integration.buttons import RECIPES
from tests.integration.test_reparse import Learned

BECAUSE = "because the test says so"
AGAIN = {
    "draft_batch",
    "download_results",
    "pause_batch",
    "read_callback",
    "read_job",
    "replay_callback",
    "resend_delivery",
    "run_doctor",
    "send_echo",
    "test_endpoint",
}
"""What is done once more when it is pressed once more, and harms nobody; all else is done once."""


@pytest.fixture
def operator(runtime: Runtime) -> Iterator[FlaskClient]:
    """A browser of an operator, after an upgrade that reads more, where echoes are asked for and come back."""
    settings = runtime.settings.model_copy(update={"echo": "on"})
    able = replace(runtime, settings=settings, providers={PROVIDER: Learned()}, outside=cast("Any", FakeOutside()))
    with logged_in(able) as browser:
        yield browser


def written_down(runtime: Runtime) -> list[AuditView]:
    """What somebody at the page did, oldest first, logging in apart."""
    rows = auditlists.listing(runtime, Wanted(), None, 100).items
    return [row for row in rows[::-1] if row.actor in set(Role) and row.action != "admin.login"]


def test_every_button_has_a_recipe(runtime: Runtime) -> None:
    changes = {rule.endpoint for rule in create_app(runtime).url_map.iter_rules() if "POST" in (rule.methods or ())}
    of_the_page = {endpoint for endpoint in changes if endpoint.startswith("admin.")}
    assert of_the_page - OPEN_ENDPOINTS - OF_VIEWERS_TOO == set(RECIPES)


@pytest.mark.parametrize("endpoint", RECIPES)
def test_what_an_operator_does_is_written_down_with_the_reason(
    operator: FlaskClient, runtime: Runtime, endpoint: str
) -> None:
    button = RECIPES[endpoint](runtime)
    response = press(operator, button.path, **button.fields, reason=BECAUSE)
    assert response.status_code == 200, response.text
    (done,) = written_down(runtime)
    assert (done.actor, done.reason) == ("operator", BECAUSE)
    assert button.subject in {None, done.subject}


@pytest.mark.parametrize("endpoint", RECIPES)
def test_a_button_that_is_pressed_twice_does_no_harm(operator: FlaskClient, runtime: Runtime, endpoint: str) -> None:
    button = RECIPES[endpoint](runtime)
    press(operator, button.path, **button.fields, reason=BECAUSE)
    again = press(operator, button.path, **button.fields, reason=BECAUSE)
    assert again.status_code in {200, 404}, again.text
    assert len(written_down(runtime)) == (2 if endpoint.removeprefix("admin.") in AGAIN else 1)


@pytest.mark.parametrize("endpoint", RECIPES)
def test_viewers_strangers_and_forgers_press_in_vain(operator: FlaskClient, runtime: Runtime, endpoint: str) -> None:
    button = RECIPES[endpoint](runtime)
    ours, theirs = {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "cross-site"}
    with logged_in(runtime, Role.VIEWER) as viewer:
        refused = viewer.post(button.path, data=button.fields, headers=ours)
    stranger = operator.application.test_client().post(button.path, data=button.fields, headers=ours)
    forged = operator.post(button.path, data=button.fields, headers=theirs)
    assert (refused.status_code, stranger.status_code, forged.status_code) == (403, 303, 403)
    assert "You are logged in as a viewer" in refused.text
    assert stranger.location == "/admin/login"
    assert "not sent from this page" in forged.text
    assert written_down(runtime) == []


def test_a_reason_may_be_left_out(operator: FlaskClient, runtime: Runtime) -> None:
    button = RECIPES["admin.cancel_batch"](runtime)
    press(operator, button.path, reason=" \x00 ")
    assert [(each.action, each.reason) for each in written_down(runtime)] == [("batch.cancel", None)]


def test_a_reason_is_kept_on_one_line_and_cut(operator: FlaskClient, runtime: Runtime) -> None:
    button = RECIPES["admin.cancel_batch"](runtime)
    press(operator, button.path, reason="a\r\nb\tc\x00 " + "x" * 600)
    (done,) = written_down(runtime)
    assert done.reason == "a b c " + "x" * (MAX_REASON_CHARS - 6)
