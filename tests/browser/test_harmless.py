"""Prompts and answers that would like to be more than text."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.visitor import Visitor, visiting
from tests.e2e.processes import Up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

HTML = """<img src=x onerror="document.title='taken'"><script>document.title='taken'</script></pre><h1>A heading</h1>"""
RTL = "\u202eabc \u05d0\u05d1\u05d2 \u0645\u0631\u062d\u0628\u0627"
LONG = "\u00e9" * 60_000  # one line of 120 KB


@pytest.fixture
def operator(browser: Browser, service: Up) -> Iterator[Visitor]:
    with visiting(browser, service.url) as visitor:
        visitor.go("/admin/")
        visitor.log_in(service.password)
        yield visitor


def shown(operator: Visitor, service: Up, custom_id: str, prompt: str) -> None:
    """Submit a prompt by that name, and open the page of its job once it is answered."""
    batch = service.submit({custom_id: prompt})
    service.finished(batch)
    operator.go(f"/admin/batches/{batch}")
    operator.page.locator("table th[scope=row] a").first.click()
    operator.page.get_by_role("button", name="Show prompt and answer").click()


def test_markup_is_shown_as_it_was_written(operator: Visitor, service: Up) -> None:
    shown(operator, service, "<b>bold</b>", HTML)
    expect(operator.page.get_by_role("heading", level=1)).to_contain_text("<b>bold</b>")
    expect(operator.page.locator("pre.text").first).to_contain_text("<script>")
    assert operator.page.locator("h1").count() == 1
    assert "taken" not in operator.page.title()


def test_a_text_from_right_to_left_turns_nothing_else_around(operator: Visitor, service: Up) -> None:
    shown(operator, service, RTL, RTL)
    heading = operator.page.get_by_role("heading", level=1)
    expect(heading.locator("bdi")).to_have_text(RTL)
    state, name = heading.locator(".state").bounding_box(), heading.locator("bdi").bounding_box()
    assert state is not None
    assert name is not None
    assert state["x"] > name["x"]


def test_a_line_of_120_kilobytes_is_cut_and_can_be_opened(operator: Visitor, service: Up) -> None:
    shown(operator, service, "long", LONG)
    whole = operator.page.locator("details", has_text=f"{len(LONG):,} characters")
    expect(whole.locator("pre")).not_to_be_visible()
    whole.locator("summary").click()
    expect(whole.locator("pre")).to_be_visible()
    assert operator.overflow() == 0
