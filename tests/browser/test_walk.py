"""Each view and each action as an operator walks them, once with scripts and once without."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import VIEWER_PASSWORD
from tests.browser.visitor import Visitor, visiting
from tests.e2e.processes import Up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def visitor(request: pytest.FixtureRequest, browser: Browser, service: Up) -> Iterator[Visitor]:
    with visiting(browser, service.url, java_script_enabled=request.param) as somebody:
        somebody.go("/admin/")
        yield somebody


@pytest.fixture
def operator(visitor: Visitor, service: Up) -> Visitor:
    visitor.log_in(service.password)
    return visitor


def notice(visitor: Visitor, text: str | re.Pattern[str]) -> None:
    """What the page says after a press."""
    expect(visitor.page.locator(".notice").filter(has_text=text).first).to_be_visible()


def test_a_wrong_password_is_refused_and_the_right_one_leads_to_the_page_that_was_asked_for(
    visitor: Visitor, service: Up
) -> None:
    visitor.go("/admin/batches")
    visitor.page.get_by_label("Password").fill("a guess")
    visitor.page.get_by_role("button", name="Log in").click()
    expect(visitor.page.locator("main")).to_contain_text("not the password")
    visitor.log_in(service.password)
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Batches")
    visitor.page.get_by_role("button", name="Log out").click()
    visitor.go("/admin/batches")
    expect(visitor.page.get_by_label("Password")).to_be_visible()


def test_every_place_of_the_navigation_opens_and_says_where_one_is(operator: Visitor) -> None:
    names = operator.page.get_by_role("navigation", name="Main").get_by_role("link").all_inner_texts()
    assert names[:2] == ["Overview", "Batches"]
    for name in names:
        operator.page.get_by_role("navigation", name="Main").get_by_role("link", name=name, exact=True).click()
        here = operator.page.locator("nav[aria-label=Main] [aria-current=page]")
        expect(here).to_have_text(name)


def test_a_batch_is_paused_with_a_reason_and_goes_on_to_its_end(operator: Visitor, service: Up) -> None:
    batch = service.submit({f"rain-{number}": "Name a kind of rain." for number in range(400)})
    operator.go(f"/admin/batches/{batch}")
    operator.press("Pause", reason="the answers look odd")
    notice(operator, "Nothing more is submitted")
    expect(operator.page.locator("main")).to_contain_text("the answers look odd")
    assert service.batch(batch)["status"] == "paused"
    operator.page.get_by_role("button", name="Resume").click()
    notice(operator, "in_progress")
    assert service.finished(batch)["counts"]["completed"] == 400
    operator.go(f"/admin/audit?subject={batch}")
    expect(operator.page.locator("main")).to_contain_text("the answers look odd")


def test_what_was_cancelled_is_retried(operator: Visitor, service: Up) -> None:
    batch = service.submit({f"snow-{number}": "Name a kind of snow." for number in range(300)})
    operator.go(f"/admin/batches/{batch}")
    operator.press("Cancel")
    notice(operator, re.compile(r"jobs? cancelled"))
    assert service.finished(batch)["counts"]["cancelled"] > 0
    operator.go(f"/admin/batches/{batch}")
    operator.press("Retry")
    notice(operator, re.compile("queued again|completed with a late answer"))
    assert service.finished(batch)["counts"]["completed"] == 300


def test_whatever_is_pasted_into_the_search_box_is_found(operator: Visitor, service: Up) -> None:
    batch = service.submit({f"only-here-{batch_number}": "Name a cloud." for batch_number in range(2)})
    service.finished(batch)
    job = service.request("GET", f"/api/batches/{batch}/jobs").json()["items"][0]
    detail = service.request("GET", f"/api/jobs/{job['id']}").json()
    task = detail["attempts"][0]["provider_task_id"]
    for pasted, where in ((batch, batch), (job["id"], job["id"]), (task, job["id"])):
        operator.page.get_by_role("searchbox").fill(pasted)
        operator.page.get_by_role("button", name="Find").click()
        expect(operator.page).to_have_url(re.compile(where))
    operator.page.get_by_role("searchbox").fill("nothing has this name")
    operator.page.get_by_role("button", name="Find").click()
    expect(operator.page.locator("main")).to_contain_text("nothing has this name")


def test_a_key_is_made_shown_once_and_revoked(operator: Visitor, service: Up) -> None:
    operator.go("/admin/keys")
    operator.page.locator("summary", has_text="Make a key").click()
    operator.page.get_by_label(re.compile("^Owner")).fill("a-team")
    operator.page.get_by_role("button", name="Make the key").click()
    key = re.search(r"hb_[\w-]+", operator.page.locator("main").inner_text())
    assert key is not None
    assert service.with_key(key[0]).status_code == 200
    operator.go("/admin/keys")
    assert key[0] not in operator.page.content()
    operator.press("Revoke", reason="it was for a test")
    expect(operator.page.locator("main")).to_contain_text("revoked")
    assert service.with_key(key[0]).status_code == 401


def test_the_doctor_is_asked_from_the_page(operator: Visitor) -> None:
    operator.go("/admin/system")
    operator.press("Check the installation")
    expect(operator.page.locator("main")).to_contain_text("echo")
    operator.go("/admin/audit?action=doctor.run")
    expect(operator.page.locator("main table")).to_contain_text("doctor.run")


def test_a_viewer_sees_how_things_stand_and_neither_texts_nor_buttons(visitor: Visitor, service: Up) -> None:
    batch = service.submit({"quiet": "A prompt that is nobody's business."})
    service.finished(batch)
    job = service.request("GET", f"/api/batches/{batch}/jobs").json()["items"][0]["id"]
    visitor.log_in(VIEWER_PASSWORD)
    for path in (f"/admin/batches/{batch}", f"/admin/jobs/{job}"):
        visitor.go(path)
        expect(visitor.page.get_by_role("heading", level=1)).to_contain_text("completed")
        assert "nobody's business" not in visitor.page.content()
        assert visitor.page.locator("main form[method=post]").count() == 0
