"""Every page at every width and in both colour schemes: no barrier that axe knows, nothing wider than its window."""

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser

from tests.browser.visitor import Visitor, visiting
from tests.e2e.processes import Up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PATHS = (
    "/",
    "/batches",
    "/batches/{batch}",
    "/batches/{batch}/verify",
    "/batches/change?do=cancel&batch={batch}",
    "/batches/change?do=retry&batch={batch}",
    "/jobs",
    "/jobs?state=failed",
    "/jobs/{job}",
    "/jobs/change?do=retry-all&state=completed",
    "/jobs/change?do=cancel-all&state=queued",
    "/search?q=nowhere",
    "/search?q=lake-0",
    "/callbacks",
    "/callbacks?outcome=all",
    "/callbacks/{callback}",
    "/batches/new",
    "/webhooks",
    "/webhooks/{webhook}",
    "/deliveries/{delivery}",
    "/keys",
    "/audit",
    "/system",
    "/nothing-here",
)


@pytest.fixture(scope="module")
def places(service: Up) -> dict[str, str]:
    """A batch that is finished, one of its jobs, the callback that came for it, and an endpoint nobody listens at."""
    hook = {"url": f"{service.url}/nobody", "event_types": ["batch.completed"]}
    webhook = service.request("POST", "/api/webhooks", json=hook).json()["endpoint"]["id"]
    batch = service.submit({f"lake-{number}": f"Tell me about lake {number}." for number in range(5)})
    service.finished(batch)
    job = service.request("GET", f"/api/batches/{batch}/jobs").json()["items"][0]["id"]
    callback = service.request("GET", f"/api/jobs/{job}").json()["callbacks"][0]["id"]
    tried = service.request("POST", f"/api/webhooks/{webhook}/test", json={}).json()["id"]
    return {"batch": batch, "job": job, "callback": callback, "webhook": webhook, "delivery": tried}


@pytest.fixture(params=["light", "dark"])
def operator(request: pytest.FixtureRequest, browser: Browser, service: Up) -> Iterator[Visitor]:
    scheme: Literal["light", "dark"] = request.param
    with visiting(browser, service.url, color_scheme=scheme) as visitor:
        visitor.go("/admin/")
        visitor.log_in(service.password)
        yield visitor


def test_no_page_has_a_barrier(operator: Visitor, places: dict[str, str]) -> None:
    barriers = {}
    for path in PATHS:
        operator.go("/admin" + path.format(**places))
        barriers[path] = operator.barriers()
    assert {path: found for path, found in barriers.items() if found} == {}


@pytest.mark.parametrize("width", [320, 640, 1280])
def test_no_page_is_wider_than_its_window(operator: Visitor, places: dict[str, str], width: int) -> None:
    operator.page.set_viewport_size({"width": width, "height": 800})
    wider = {}
    for path in PATHS:
        operator.go("/admin" + path.format(**places))
        wider[path] = operator.overflow()
    assert {path: pixels for path, pixels in wider.items() if pixels} == {}
