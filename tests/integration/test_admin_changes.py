"""Every button of the page: strangers and viewers are refused it, and what an operator does is written down."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.admin.blueprint import OF_VIEWERS_TOO, OPEN_ENDPOINTS
from app.admin.sessions import Role
from app.runtime import Runtime
from app.services import auditlists
from app.services.auditlists import AuditView, Wanted
from tests.integration.browsers import logged_in, press
from tests.integration.buttons import RECIPES
from tests.integration.test_reparse import Learned

BECAUSE = "because the test says so"
AGAIN = {"admin.run_doctor", "admin.test_endpoint", "admin.resend_delivery", "admin.pause_batch"}
"""What is done once more when it is pressed once more, and harms nobody; all else is done once."""


@pytest.fixture
def operator(runtime: Runtime) -> Iterator[FlaskClient]:
    with logged_in(replace(runtime, providers={"hive_v2": Learned()})) as browser:
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
    assert (done.actor, done.reason, done.subject) == ("operator", BECAUSE, button.subject)


@pytest.mark.parametrize("endpoint", RECIPES)
def test_a_reason_may_be_left_out_unless_the_button_asks_for_one(
    operator: FlaskClient, runtime: Runtime, endpoint: str
) -> None:
    button = RECIPES[endpoint](runtime)
    told = press(operator, button.path, **button.fields, reason=" ").text
    assert "Nothing was changed: say why." in told or [each.actor for each in written_down(runtime)] == ["operator"]


@pytest.mark.parametrize("endpoint", RECIPES)
def test_a_button_that_is_pressed_twice_does_no_harm(operator: FlaskClient, runtime: Runtime, endpoint: str) -> None:
    button = RECIPES[endpoint](runtime)
    press(operator, button.path, **button.fields, reason=BECAUSE)
    again = press(operator, button.path, **button.fields, reason=BECAUSE)
    assert again.status_code in {200, 404}, again.text
    assert len(written_down(runtime)) == (2 if endpoint in AGAIN else 1)


@pytest.mark.parametrize("endpoint", RECIPES)
def test_a_viewer_presses_in_vain_and_is_told_why(runtime: Runtime, endpoint: str) -> None:
    button = RECIPES[endpoint](runtime)
    with logged_in(runtime, Role.VIEWER) as viewer:
        refused = press(viewer, button.path, **button.fields, reason=BECAUSE)
    assert refused.status_code == 403
    assert "You are logged in as a viewer" in refused.text
    assert written_down(runtime) == []


@pytest.mark.parametrize("endpoint", RECIPES)
def test_a_forged_form_and_a_stranger_change_nothing(operator: FlaskClient, runtime: Runtime, endpoint: str) -> None:
    button = RECIPES[endpoint](runtime)
    forged = operator.post(button.path, data=button.fields, headers={"Sec-Fetch-Site": "cross-site"})
    stranger = operator.application.test_client().post(
        button.path, data=button.fields, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert (forged.status_code, stranger.status_code) == (403, 303)
    assert stranger.location == "/admin/login"
    assert written_down(runtime) == []
