"""What stands around the jobs, walked the same way: providers, callbacks, endpoints, and jobs that go wrong."""

from collections.abc import Iterator, Sequence
from typing import cast

import pytest
import requests
from playwright.sync_api import expect

from tests.browser.visitor import Visitor
from tests.e2e.processes import Up, eventually
from tests.fakes import success
from tests.unit.providers.servers import Server, answer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def receiver() -> Iterator[Server]:
    """Fails once, then takes everything."""
    with Server(answer(500), answer(200)) as server:
        yield server


def held_job(operator: Visitor, service: Up) -> tuple[str, str]:
    """A batch that an operator paused, and the id of a job of it that is queued still."""
    batch = service.submit({f"held-{number}": "Wait." for number in range(300)})
    operator.go(f"/admin/batches/{batch}")
    operator.press("Pause", reason="to look at one")
    operator.is_told("Nothing more is submitted")
    job = service.request("GET", f"/api/batches/{batch}/jobs?state=queued").json()["items"][-1]["id"]
    return batch, job


def delivered(service: Up, webhook: str) -> Sequence[object]:
    """What the endpoint has taken; a page without scripts does not show by itself what came after it."""
    page = service.request("GET", f"/api/webhooks/{webhook}/deliveries?state=delivered")
    return cast("Sequence[object]", page.json()["items"])


def test_a_provider_is_paused_resumed_and_asked_for_an_echo(operator: Visitor, service: Up) -> None:
    operator.go("/admin/")
    operator.press("Pause", reason="its bill is high")
    operator.is_told("Nothing more is submitted to")
    operator.shows("its bill is high")
    batch = service.submit({"later": "Name a river."})
    operator.go(f"/admin/batches/{batch}")
    operator.shows("its bill is high")
    operator.go("/admin/")
    operator.press("Resume", reason="it is paid")
    operator.is_told("is not held for paused any more")
    assert service.finished(batch)["counts"]["completed"] == 1
    operator.go("/admin/")
    operator.press("Send echo")
    operator.is_told("The echo came back")


def test_a_job_is_given_up_and_retried(operator: Visitor, service: Up) -> None:
    batch, job = held_job(operator, service)
    operator.go(f"/admin/jobs/{job}")
    operator.press("Mark failed", reason="nobody needs it")
    operator.is_told("The job is failed.")
    operator.shows("nobody needs it")
    operator.press("Retry this job", reason="somebody does")
    operator.is_told("queued again")
    operator.press("Cancel this job")
    operator.is_told("The job is cancelled.")
    operator.go(f"/admin/batches/{batch}")
    operator.press("Resume")
    counts = service.finished(batch)["counts"]
    assert (counts["completed"], counts["cancelled"]) == (299, 1)


def test_an_orphan_is_matched_to_its_job_and_another_discarded(operator: Visitor, service: Up) -> None:
    batch, job = held_job(operator, service)
    for text in ("an answer from nowhere", "something else from nowhere"):
        body = success(text, metadata=job)
        assert requests.post(f"{service.url}/callbacks/hive", data=body, timeout=20).status_code == 200
    operator.go("/admin/callbacks")
    operator.page.locator("table th[scope=row] a").nth(1).click()
    operator.shows("It came without a token")
    operator.page.get_by_role("button", name="Show the body").click()
    operator.shows("an answer from nowhere")
    form = operator.page.locator("form", has=operator.page.get_by_role("button", name="Match"))
    expect(form.get_by_label("Job", exact=True)).to_have_value(job)
    form.get_by_label("Why?").fill("it is what the provider shows")
    form.get_by_role("button", name="Match").click()
    operator.is_told("The job is completed with this answer.")
    operator.go("/admin/callbacks")
    operator.page.locator("table th[scope=row] a").first.click()
    form = operator.page.locator("form", has=operator.page.get_by_role("button", name="Discard"))
    form.get_by_label("Why?").fill("it is not ours")
    form.get_by_role("button", name="Discard").click()
    operator.is_told("is discarded")
    operator.go(f"/admin/batches/{batch}")
    operator.press("Cancel")
    assert service.finished(batch)["counts"]["completed"] >= 1


def test_a_callback_is_looked_at_again_and_changes_nothing(operator: Visitor, service: Up) -> None:
    batch = service.submit({"once": "Name a lake."})
    service.finished(batch)
    job = service.request("GET", f"/api/batches/{batch}/jobs").json()["items"][0]["id"]
    operator.go(f"/admin/jobs/{job}")
    operator.page.locator("table[aria-labelledby=callbacks] th a").first.click()
    operator.shows("It holds")
    assert operator.page.locator("summary", has_text="Replay").count() == 0
    expect(operator.page.locator("h1")).to_contain_text("applied")


def test_an_endpoint_is_tested_rotated_and_disabled_and_told_again(
    operator: Visitor, service: Up, receiver: Server
) -> None:
    hook = {"url": f"{receiver.url}/in", "event_types": ["batch.completed"]}
    webhook = service.request("POST", "/api/webhooks", json=hook).json()["endpoint"]["id"]
    operator.go("/admin/webhooks")
    operator.page.locator("table th[scope=row] a").first.click()
    operator.press("Send a test")
    operator.shows("HTTP 500")
    service.finished(service.submit({"told": "Name a bay."}))
    eventually(lambda: delivered(service, webhook), 60, "its end is delivered")
    operator.go(f"/admin/webhooks/{webhook}?state=delivered")
    operator.page.locator("table th[scope=row] a").first.click()
    operator.shows("HTTP 200")
    operator.press("Send again")
    operator.is_told("It is on its way again.")
    operator.go(f"/admin/webhooks/{webhook}")
    operator.press("Rotate the secret")
    operator.shows("whsec_")
    operator.go(f"/admin/webhooks/{webhook}")
    operator.press("Disable", reason="for a while")
    operator.shows("Nothing is sent there.")
    operator.press("Enable")
    expect(operator.page.locator("summary", has_text="Disable")).to_be_visible()


def test_results_are_taken_and_a_batch_is_verified(operator: Visitor, service: Up) -> None:
    batch = service.submit({"taken": "Name a hill."})
    service.finished(batch)
    operator.go(f"/admin/batches/{batch}")
    for format_, begins in (("NDJSON", '{"'), ("CSV", "custom_id")):
        with operator.page.expect_download() as taken:
            operator.page.get_by_role("button", name=f"Results as {format_}").click()
        text = taken.value.path().read_text()
        assert begins in text.splitlines()[0]
        assert "taken" in text
    with operator.page.expect_download() as taken:
        operator.page.get_by_role("link", name="manifest").click()
    assert batch in taken.value.path().read_text()
    operator.page.get_by_role("link", name="Verify").click()
    operator.shows("results_have_their_source")
