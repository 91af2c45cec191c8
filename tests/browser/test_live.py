"""What scripts add: parts that keep themselves up to date and leave whoever is at them alone, keys, times, copying."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.visitor import Visitor, visiting
from tests.e2e.processes import Up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

QUIET_MS = 6_000
"""Longer than a list takes to be fetched again."""


@pytest.fixture
def operator(browser: Browser, service: Up) -> Iterator[Visitor]:
    with visiting(browser, service.url, permissions=["clipboard-read", "clipboard-write"]) as visitor:
        visitor.go("/admin/")
        visitor.log_in(service.password)
        expect(visitor.page.locator("html.js")).to_be_attached()
        yield visitor


def freshness(visitor: Visitor) -> Locator:
    """What the page says of how old it is."""
    return visitor.page.locator("#freshness")


def tile(visitor: Visitor) -> Locator:
    """How many jobs the overview says were completed in the last hour."""
    return visitor.page.locator(".tiles div", has_text="Completed in 1 h").locator("dd")


def completed(visitor: Visitor) -> int:
    """The same as a number."""
    return int(tile(visitor).inner_text().replace(",", ""))


def finish(service: Up, word: str, jobs: int = 2) -> str:
    """A batch of so many jobs that has ended."""
    batch = service.submit({f"{word}-{number}": f"Tell me about {word} {number}." for number in range(jobs)})
    service.finished(batch)
    return batch


def test_the_overview_counts_on_by_itself(operator: Visitor, service: Up) -> None:
    before = completed(operator)
    finish(service, "delta", 7)
    expect(tile(operator)).to_have_text(f"{before + 7:,}")
    expect(freshness(operator)).to_have_text(re.compile(r"^updated [0-3] s ago$"))


def test_a_bar_fills_while_one_looks_and_then_the_page_rests(operator: Visitor, service: Up) -> None:
    batch = service.submit({f"fjord-{number}": "Name a fjord." for number in range(120)})
    operator.go(f"/admin/batches/{batch}")
    expect(operator.page.locator("h1")).to_contain_text("completed")
    expect(operator.page.locator(".facts")).to_contain_text("120 of 120")


@pytest.mark.parametrize(
    ("begin", "end", "why"),
    [
        ("details.confirm summary", "details.confirm summary", "something is open"),
        ("#keys", "dialog button", "a dialog is open"),
    ],
)
def test_nothing_changes_while_somebody_is_at_it(
    operator: Visitor, service: Up, begin: str, end: str, why: str
) -> None:
    operator.page.locator(begin).first.click()
    expect(freshness(operator)).to_have_text(f"paused: {why}")
    before = completed(operator)
    finish(service, f"estuary-{len(why)}")
    operator.page.wait_for_timeout(QUIET_MS)
    assert completed(operator) == before
    operator.page.locator(end).first.click()
    expect(freshness(operator)).to_contain_text("updated")
    expect(tile(operator)).not_to_have_text(f"{before:,}")


def test_it_can_be_switched_off_and_stays_off(operator: Visitor) -> None:
    operator.page.get_by_label("Live").uncheck()
    expect(freshness(operator)).to_have_text("off")
    operator.page.reload()
    expect(freshness(operator)).to_have_text("off")
    operator.page.get_by_label("Live").check()
    expect(freshness(operator)).to_contain_text("updated")


def test_new_batches_are_told_and_shown_when_asked_for_and_move_nothing(operator: Visitor, service: Up) -> None:
    finish(service, "marsh")
    operator.go("/admin/batches")
    first = operator.page.locator("tbody tr").first
    name, box = first.locator("th").inner_text(), first.bounding_box()
    first.get_by_role("link").focus()
    service.submit({"moor": "Name a moor."})
    news = operator.page.locator("[data-news]")
    expect(news).to_contain_text("1 new batch")
    expect(operator.page.locator("#told")).to_contain_text("1 new batch")
    assert (first.locator("th").inner_text(), first.bounding_box()) == (name, box)
    expect(first.get_by_role("link")).to_be_focused()
    news.get_by_role("link", name="Show").click()
    expect(news).not_to_contain_text("new")
    assert operator.page.locator("tbody tr").first.locator("th").inner_text() != name


def test_a_lost_connection_is_told_and_so_is_its_return(operator: Visitor) -> None:
    operator.page.route("**/admin/?part=live", lambda route: route.abort())
    expect(freshness(operator)).to_have_text("connection lost, retrying")
    expect(operator.page.locator("#told")).to_have_text("Connection lost, retrying.")
    operator.page.unroute("**/admin/?part=live")
    expect(freshness(operator)).to_contain_text("updated")
    expect(operator.page.locator("#told")).to_have_text("Connected again.")
    operator.complaints.clear()  # htmx complains of each request that was lost


def test_who_is_logged_out_meanwhile_is_led_to_the_login_and_back(operator: Visitor, service: Up) -> None:
    operator.go("/admin/batches")
    operator.page.context.clear_cookies()
    expect(operator.page.get_by_label("Password")).to_be_visible()
    operator.complaints.clear()
    operator.log_in(service.password)
    expect(operator.page.get_by_role("heading", level=1)).to_have_text("Batches")


def test_keys_search_help_and_close(operator: Visitor) -> None:
    operator.page.keyboard.press("/")
    expect(operator.page.locator("#search")).to_be_focused()
    operator.page.keyboard.type("/?")
    expect(operator.page.locator("#search")).to_have_value("/?")
    operator.page.locator("h1").click()
    operator.page.keyboard.press("?")
    expect(operator.page.get_by_role("dialog")).to_be_visible()
    operator.page.keyboard.press("Escape")
    expect(operator.page.get_by_role("dialog")).to_be_hidden()
    summary = operator.page.locator("details.confirm summary").first
    summary.click()
    operator.page.keyboard.press("Escape")
    expect(operator.page.locator("details.confirm[open]")).to_have_count(0)
    expect(summary).to_be_focused()


def test_single_keys_can_be_switched_off(operator: Visitor) -> None:
    operator.page.get_by_label("Single-key shortcuts").uncheck()
    operator.page.locator("h1").click()
    operator.page.keyboard.press("?")
    operator.page.keyboard.press("/")
    expect(operator.page.get_by_role("dialog")).to_be_hidden()
    expect(operator.page.locator("#search")).not_to_be_focused()


def test_times_go_on_and_are_told_in_local_time_when_wanted(browser: Browser, service: Up) -> None:
    with visiting(browser, service.url, timezone_id="Asia/Kolkata", locale="en-GB") as visitor:
        visitor.go("/admin/")
        visitor.log_in(service.password)
        visitor.go(f"/admin/batches/{finish(service, 'steppe')}")
        exact, relative = visitor.page.locator("time[data-exact]").first, visitor.page.locator(".facts time").first
        utc = exact.get_attribute("datetime")
        assert utc is not None
        expect(exact).to_have_text(utc)
        expect(relative).to_have_text(re.compile(r"^([2-9]|1\d) s ago$"))
        visitor.page.get_by_label("Local times").check()
        hour, minute = int(utc[11:13]), int(utc[14:16])
        there = f"{(hour + 5 + (minute + 30) // 60) % 24:02d}:{(minute + 30) % 60:02d}:"
        expect(exact).to_contain_text(there)
        assert there in (relative.get_attribute("title") or "")


def test_an_id_is_copied(operator: Visitor, service: Up) -> None:
    batch = finish(service, "tundra")
    operator.go(f"/admin/batches/{batch}")
    operator.page.get_by_role("button", name=f"Copy {batch}").click()
    expect(operator.page.locator("#told")).to_have_text("Copied.")
    assert operator.page.evaluate("navigator.clipboard.readText()") == batch
