"""The overview in a browser: what it shows of a provider, and what its buttons do."""

import dataclasses
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.models import audit_events
from app.providers.base import Accepted, Unknown
from app.runtime import Runtime
from tests.conftest import MakeRuntime
from tests.factories import PROVIDER, deliver, held, record, submit, sweep, take
from tests.fakes import FakeOutside, RecordingDoorbell, failure, success
from tests.integration.browsers import HOSTILE, links, logged_in, press

PAUSE, LIFT, ECHO = (f"/admin/providers/{PROVIDER}/{verb}" for verb in ("pause", "lift", "echo"))


@pytest.fixture
def outside() -> FakeOutside:
    return FakeOutside()


@pytest.fixture
def runtime(make_runtime: MakeRuntime, outside: FakeOutside) -> Runtime:
    return dataclasses.replace(make_runtime(echo="on", breaker_faults=1), outside=outside)


@pytest.fixture
def page(runtime: Runtime) -> Iterator[FlaskClient]:
    with logged_in(runtime) as browser:
        yield browser


def _audited(runtime: Runtime) -> list[tuple[str, str, dict[str, object]]]:
    """What was done by somebody, first to last: action, subject, details."""
    query = select(audit_events).where(audit_events.c.actor == "operator").order_by(audit_events.c.id)
    with runtime.database.reading() as connection:
        rows = connection.execute(query).all()
    return [(row.action, row.subject, row.details) for row in rows if row.action != "admin.login"]


def test_an_empty_service_says_how_to_begin(page: FlaskClient) -> None:
    text = page.get("/admin/").text
    assert "No batches yet" in text
    assert "/api/batches" in text


def test_the_overview_shows_what_is_open_and_what_ended(page: FlaskClient, runtime: Runtime) -> None:
    submit(runtime, "a", "b", "c")
    sweep(runtime)  # which asks for the echo
    one, other = take(runtime, 2)
    record(runtime, one, Accepted("task-1", 200))
    deliver(runtime, one.submission, success())
    deliver(runtime, other.submission, failure("9"))
    sweep(runtime)
    answer = page.get("/admin/")
    assert "No batches yet" not in answer.text
    assert "1 completed and 1 failed, at most 2 in one minute" in answer.text
    found = links(answer, "/admin/jobs?")
    assert {"/admin/jobs?state=queued", "/admin/jobs?state=failed&finished=1h&error=9"} < set(found)
    assert len(answer.text) < 60_000


def test_every_link_of_the_overview_leads_somewhere(page: FlaskClient, runtime: Runtime) -> None:
    submit(runtime, "a", max_attempts=1)
    sweep(runtime)
    (claimed,) = take(runtime)
    deliver(runtime, claimed.submission, failure("9"))
    found = [link for link in links(page.get("/admin/"), "/admin/") if "/static/" not in link]
    assert len(found) > 8
    assert [link for link in found if page.get(link).status_code != 200] == []


def test_the_live_part_is_not_sent_again_to_who_has_it(page: FlaskClient, runtime: Runtime) -> None:
    first = page.get("/admin/?part=live")
    assert "<html" not in first.text
    known = {"If-None-Match": first.headers["ETag"]}
    assert page.get("/admin/?part=live", headers=known).status_code == 304
    submit(runtime, "a")
    assert page.get("/admin/?part=live", headers=known).status_code == 200


def test_a_paused_provider_gets_nothing_until_it_is_resumed(page: FlaskClient, runtime: Runtime) -> None:
    sweep(runtime)
    submit(runtime, "a")
    after = press(page, PAUSE, reason=f"lunch {HOSTILE}")
    assert f"Nothing more is submitted to {PROVIDER}." in after.text
    assert "paused, <bdi>lunch &lt;script&gt;" in after.text
    assert "until somebody resumes it" in after.text
    assert not take(runtime)
    assert f"{PROVIDER} was paused already." in press(page, PAUSE, reason="again").text
    assert f"{PROVIDER} is not held for paused any more." in press(page, LIFT, hold="paused", reason="back").text
    assert len(take(runtime)) == 1
    assert [(action, subject) for action, subject, _ in _audited(runtime)] == [
        ("provider.pause", f"provider:{PROVIDER}"),
        ("hold.lift", f"provider:{PROVIDER}"),
    ]
    assert _audited(runtime)[1][2] == {"hold": "paused", "reason": "back"}


def test_a_breaker_is_reset_and_the_workers_hear_of_it(page: FlaskClient, runtime: Runtime) -> None:
    sweep(runtime)
    submit(runtime, "a", "b")
    assert "Reset breaker" not in page.get("/admin/").text
    claimed = take(runtime, 1)[0]
    record(runtime, claimed, Unknown("connection_lost", "gone"))
    assert "Reset breaker" in page.get("/admin/").text
    assert not take(runtime)
    press(page, LIFT, hold="breaker")
    assert isinstance(runtime.doorbell, RecordingDoorbell)
    assert runtime.doorbell.rings[-1] == PROVIDER
    assert len(take(runtime)) == 1


def test_a_hold_that_is_gone_is_not_lifted_and_that_is_said(page: FlaskClient, runtime: Runtime) -> None:
    assert "is not held for that any more" in press(page, LIFT, hold="rate_limited").text
    assert _audited(runtime) == []


def test_an_echo_is_sent_at_once_and_told(page: FlaskClient, runtime: Runtime, outside: FakeOutside) -> None:
    assert "The echo came back" in press(page, ECHO, reason="new proxy").text
    assert len(outside.asked) == 1
    assert _audited(runtime) == [("echo.send", f"provider:{PROVIDER}", {"reason": "new proxy"})]


def test_an_echo_that_does_not_come_back_holds_the_provider_until_one_does(
    page: FlaskClient, runtime: Runtime, outside: FakeOutside
) -> None:
    outside.script.append("HTTP 502")
    after = press(page, ECHO)
    assert "The echo did not come back" in after.text
    assert "HTTP 502" in after.text
    assert [hold.reason for hold in held(runtime)] == ["echo_failed"]
    assert "Lift this hold" in after.text
    press(page, ECHO)
    assert held(runtime) == ()


@pytest.mark.parametrize("path", [PAUSE, ECHO])
def test_a_provider_that_does_not_exist_is_not_found(page: FlaskClient, runtime: Runtime, path: str) -> None:
    assert press(page, path.replace(PROVIDER, "nobody")).status_code == 404
    assert _audited(runtime) == []


def test_no_echo_is_sent_for_a_provider_that_needs_none(make_runtime: MakeRuntime) -> None:
    with logged_in(make_runtime(echo="off")) as page:
        assert "Send echo" not in page.get("/admin/").text
        assert "No echo was sent" in press(page, ECHO).text
