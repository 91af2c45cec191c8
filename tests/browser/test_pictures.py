"""The pictures in the README: a service with work in it, as it looks. PICTURES=docs/pictures keeps them."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import SETTINGS
from tests.browser.visitor import Visitor, visiting
from tests.e2e.processes import Processes, Up, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

README = Path(__file__).parents[2] / "README.md"
SHOWN = re.findall(r"docs/pictures/([\w-]+)\.png", README.read_text())
SIZE = {"width": 1280, "height": 1120}
BATCHES = {"Nightly summaries": 1_500, "Product names, spring": 400, "Support mail, sorted": 2_000}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """An installation whose provider misbehaves: three batches on their way, one held, one done."""
    with Processes() as processes:
        up = processes.up(tmp_path_factory.mktemp("busy"), "--sandbox", "--port", "0", **SETTINGS)
        done = _submit(up, "City guide", 300)
        eventually(lambda: up.batch(done)["counts"]["completed"] > 280, 60, "one is nearly done")
        for name, jobs in BATCHES.items():
            _submit(up, name, jobs)
        held = _submit(up, "Draft replies", 250)
        up.request("POST", f"/api/batches/{held}/pause", json={"reason": "the prompt is being reworded"})
        yield up


@pytest.fixture(params=["light", "dark"])
def operator(request: pytest.FixtureRequest, browser: Browser, busy: Up) -> Iterator[Visitor]:
    with visiting(browser, busy.url, color_scheme=request.param, viewport=SIZE) as visitor:
        visitor.go("/admin/")
        visitor.log_in(busy.password)
        yield visitor


def test_the_pictures_of_the_readme_are_taken(
    operator: Visitor, busy: Up, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    scheme = request.node.callspec.params["operator"]
    folder = Path(os.environ.get("PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    batches = busy.request("GET", "/api/batches").json()["items"]
    largest = max(batches, key=lambda batch: batch["total"])["id"]
    eventually(lambda: busy.batch(largest)["counts"]["completed"] > 300, 120, "the largest is under way")
    places = {"overview": "/admin/", "batches": "/admin/batches", "batch": f"/admin/batches/{largest}"}
    for name, path in places.items():
        operator.go(path)
        operator.page.screenshot(path=folder / f"{name}-{scheme}.png")
    taken = {picture.stem for picture in folder.glob(f"*-{scheme}.png")}
    assert {name for name in SHOWN if name.endswith(scheme)} <= taken
    assert any(name.endswith(scheme) for name in SHOWN)


def _submit(up: Up, name: str, count: int) -> str:
    jobs = [{"custom_id": f"row-{number:04}", "text_data": f"Line {number} of {name}."} for number in range(count)]
    response = up.request("POST", "/api/batches", json={"name": name, "jobs": jobs})
    batch_id: str = response.json()["id"]
    return batch_id
