"""What the tests of the page share: Debian's Chromium, and a service with its sandbox to look at."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.visitor import Visitor, visiting
from tests.e2e.processes import Processes, Up
from tests.missing import leave_out

VIEWER_PASSWORD = "who-only-looks"
SETTINGS = {
    "HIVEBATCH_CALLBACK_TIMEOUT_SECONDS": "2",
    "HIVEBATCH_UNKNOWN_GRACE_SECONDS": "1",
    "HIVEBATCH_BACKOFF_BASE_SECONDS": "0.2",
    "HIVEBATCH_SWEEP_SECONDS": "0.5",
    "HIVEBATCH_VIEWER_PASSWORD": VIEWER_PASSWORD,
    "HIVEBATCH_UNAUTHENTICATED_CALLBACKS": "quarantine",  # the shortest way to an orphan
}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; without one the test is left out and says so."""
    found = shutil.which("chromium")
    if found is None:
        leave_out("there is no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        # Its sandbox needs rights that a container does not have; it only ever sees our own pages.
        launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """`hivebatch up` with a sandbox that behaves, for all tests of a module."""
    folder: Path = tmp_path_factory.mktemp("service")
    with Processes() as processes:
        yield processes.up(folder, "--sandbox", "--profile", "calm", "--port", "0", **SETTINGS)


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def visitor(request: pytest.FixtureRequest, browser: Browser, service: Up) -> Iterator[Visitor]:
    """Somebody at the login, once with scripts and once without."""
    with visiting(browser, service.url, java_script_enabled=request.param) as somebody:
        somebody.go("/admin/")
        yield somebody


@pytest.fixture
def operator(visitor: Visitor, service: Up) -> Visitor:
    """The same, let in."""
    visitor.log_in(service.password)
    return visitor
