"""The pages of webhooks: endpoints, what was sent there, and what can be done when it fails."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory

from app import ids
from app.outbound.webhooks import Reply
from app.runtime import Runtime
from app.services import batches, endpointchanges, endpoints
from app.services.endpointchanges import Changes
from app.states import DeliveryState, EventType
from tests.factories import submit
from tests.fakes import FakeReceivers
from tests.integration.browsers import logged_in, press
from tests.webhooks import endpoint, on_their_way, only_delivery, register, send_due

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def page(clock: FrozenDateTimeFactory, runtime: Runtime) -> Iterator[FlaskClient]:
    """A browser of an operator, on a quiet day."""
    with logged_in(runtime) as browser:
        yield browser


def end_a_batch(runtime: Runtime) -> None:
    batches.cancel(runtime, None, submit(runtime, "a"))


def test_without_endpoints_the_page_says_how_to_have_one(page: FlaskClient) -> None:
    text = page.get("/admin/webhooks").text
    assert "No endpoints yet" in text
    assert "/api/webhooks" in text


def test_every_owners_endpoints_come_newest_first_over_pages(page: FlaskClient, runtime: Runtime) -> None:
    made = [register(runtime, owner=owner) for owner in ["alice", "bob"] * 13]
    first = page.get("/admin/webhooks").text
    (following,) = re.findall(r'href="([^"]+)" rel="next"', first)
    found = re.findall(r'href="/admin/webhooks/(webhook_\w+)"', first + page.get(following).text)
    assert found == [ids.show("webhook", each) for each in made[::-1]]


def test_a_failing_endpoint_says_since_when_and_when_it_is_tried_next(
    page: FlaskClient, runtime: Runtime, receivers: FakeReceivers, clock: FrozenDateTimeFactory
) -> None:
    shown = ids.show("webhook", register(runtime))
    end_a_batch(runtime)
    receivers.script.append(Reply(500, None, "POST /in HTTP/1.1", "HTTP/1.1 500 " + HOSTILE))
    send_due(runtime)
    clock.tick(1)
    for text in (page.get("/admin/webhooks").text, page.get(f"/admin/webhooks/{shown}").text):
        assert "failing" in text
        assert re.search(r"<time [^>]*>in \d+ s", text)
    log = page.get(f"/admin/webhooks/{shown}?state=pending").text
    (delivery,) = re.findall(r'href="(/admin/deliveries/delivery_\w+)"', log)
    assert not re.findall("/admin/deliveries/", page.get(f"/admin/webhooks/{shown}?state=delivered").text)
    text = page.get(delivery).text
    assert "Try 1: HTTP 500" in text
    assert "POST /in HTTP/1.1" in text
    assert HOSTILE not in text
    assert "&lt;script&gt;" in text


def test_a_disabled_endpoint_says_who_disabled_it_and_why_until_it_is_enabled(
    page: FlaskClient, runtime: Runtime
) -> None:
    endpoint_id = register(runtime)
    path = f"/admin/webhooks/{ids.show('webhook', endpoint_id)}"
    end_a_batch(runtime)
    after = press(page, f"{path}/disable", reason=HOSTILE).text
    assert "An operator disabled it: &lt;script&gt;" in after
    assert only_delivery(runtime).delivery.state is DeliveryState.FAILED
    assert "The endpoint is disabled; enable it first." in press(page, f"{path}/resend_failed", hours="24").text
    assert "It hears of batches again" in press(page, f"{path}/enable").text
    assert endpoint(runtime, endpoint_id).disabled_at is None
    assert "1 delivery is on the way." in press(page, f"{path}/resend_failed", hours="24").text
    assert "There was nothing to send." in press(page, f"{path}/resend_failed", hours="24").text


def test_what_is_missing_is_sent_to_a_new_endpoint(page: FlaskClient, runtime: Runtime) -> None:
    for _ in range(2):
        end_a_batch(runtime)
    path = f"/admin/webhooks/{ids.show('webhook', register(runtime))}"
    assert "2 deliveries are on the way." in press(page, f"{path}/resend_missing", hours="1").text
    assert len(on_their_way(runtime)) == 2
    assert "There was nothing to send." in press(page, f"{path}/resend_missing", hours="1").text


def test_only_what_happened_in_the_chosen_time_is_sent_again(
    page: FlaskClient, runtime: Runtime, clock: FrozenDateTimeFactory
) -> None:
    end_a_batch(runtime)
    path = f"/admin/webhooks/{ids.show('webhook', register(runtime))}"
    clock.tick(timedelta(hours=2))
    with logged_in(runtime) as later:
        assert "There was nothing to send." in press(later, f"{path}/resend_missing", hours="1").text
        assert "1 delivery is on the way." in press(later, f"{path}/resend_missing", hours="24").text
        assert press(later, f"{path}/resend_missing", hours="23").status_code == 400


def test_a_test_is_sent_and_what_came_of_it_is_shown(
    page: FlaskClient, runtime: Runtime, receivers: FakeReceivers
) -> None:
    path = f"/admin/webhooks/{ids.show('webhook', register(runtime))}"
    receivers.script.append(Reply(204, None, "POST /in HTTP/1.1", "HTTP/1.1 204 No Content"))
    text = press(page, f"{path}/test", type=EventType.COMPLETED.value).text
    assert "batch.completed (a test)" in text
    assert "Try 1: HTTP 204" in text
    assert len(receivers.received) == 1
    assert press(page, f"{path}/test", type="batch.exploded").status_code == 400


def test_a_rotated_secret_is_shown_once_and_a_second_press_does_not_forget_the_old_one(
    page: FlaskClient, runtime: Runtime
) -> None:
    endpoint_id = register(runtime)
    old = endpoints.secret(runtime, "alice", endpoint_id).secret
    path = f"/admin/webhooks/{ids.show('webhook', endpoint_id)}"
    form = {"hint": endpoint(runtime, endpoint_id).secret_hint, "keep": "on"}
    shown = press(page, f"{path}/rotate", **form)
    new = endpoints.secret(runtime, "alice", endpoint_id).secret
    assert new != old
    assert new in shown.text
    assert shown.headers["Cache-Control"] == "no-store"
    assert "Its secret was changed meanwhile." in press(page, f"{path}/rotate", **form).text
    assert endpoints.secret(runtime, "alice", endpoint_id).secret == new
    for text in (page.get(path).text, page.get("/admin/webhooks").text, page.get("/admin/audit").text):
        assert new not in text
        assert old not in text


def test_one_is_sent_again_unless_its_endpoint_is_disabled(page: FlaskClient, runtime: Runtime) -> None:
    endpoint_id = register(runtime)
    end_a_batch(runtime)
    send_due(runtime)
    path = f"/admin/deliveries/{ids.show('delivery', on_their_way(runtime)[0].id)}"
    assert "It is on its way again." in press(page, f"{path}/resend").text
    assert only_delivery(runtime).delivery.state is DeliveryState.PENDING
    endpointchanges.change(runtime, "alice", endpoint_id, Changes(is_enabled=False))
    assert "Nothing was sent: The endpoint is disabled" in press(page, f"{path}/resend").text


@pytest.mark.parametrize("path", ["webhooks/webhook_" + "0" * 32, "deliveries/delivery_" + "0" * 32, "webhooks/x"])
def test_what_is_not_there_is_a_page_not_found(page: FlaskClient, path: str) -> None:
    assert page.get(f"/admin/{path}").status_code == 404


def test_a_state_that_no_delivery_has_is_a_bad_link(page: FlaskClient, runtime: Runtime) -> None:
    shown = ids.show("webhook", register(runtime))
    assert page.get(f"/admin/webhooks/{shown}?state=lost").status_code == 400
