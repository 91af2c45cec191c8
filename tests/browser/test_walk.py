"""Each view and each action as an operator walks them, once with scripts and once without."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import VIEWER_PASSWORD
from tests.browser.visitor import Visitor
from tests.e2e.processes import Up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_wrong_password_is_refused_and_the_right_one_leads_to_the_page_that_was_asked_for(
    visitor: Visitor, service: Up
) -> None:
    visitor.go("/admin/batches")
    visitor.page.get_by_label("Password").fill("a guess")
    visitor.page.get_by_role("button", name="Log in").click()
    visitor.shows("not the password")
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
    operator.is_told("Nothing more is submitted")
    operator.shows("the answers look odd")
    assert service.batch(batch)["status"] == "paused"
    operator.press("Resume")
    operator.is_told("in_progress")
    assert service.finished(batch)["counts"]["completed"] == 400
    operator.go(f"/admin/audit?subject={batch}")
    operator.shows("the answers look odd")


def test_selected_batches_are_paused_and_resumed_together(operator: Visitor, service: Up) -> None:
    made = [service.submit({f"fog-{number}": "Name a kind of fog." for number in range(300)}) for _ in range(2)]
    operator.go("/admin/batches")
    for number in range(2):
        operator.page.get_by_role("checkbox", name="Select").nth(number).check()
    operator.page.get_by_role("button", name="Pause selected").click()
    operator.page.get_by_label("Why?").fill("both look odd")
    operator.page.get_by_role("button", name="Pause 2 batches").click()
    operator.is_told("2 batches paused.")
    assert [service.batch(each)["status"] for each in made] == ["paused", "paused"]
    for number in range(2):
        operator.page.get_by_role("checkbox", name="Select").nth(number).check()
    operator.page.get_by_role("button", name="Resume selected").click()
    operator.page.get_by_role("button", name="Resume 2 batches").click()
    operator.is_told("2 batches resumed.")
    assert [service.finished(each)["counts"]["completed"] for each in made] == [300, 300]


def test_what_was_cancelled_is_retried(operator: Visitor, service: Up) -> None:
    batch = service.submit({f"snow-{number}": "Name a kind of snow." for number in range(300)})
    operator.go(f"/admin/batches/{batch}")
    operator.press("Cancel")
    operator.is_told(re.compile(r"jobs? cancelled"))
    assert service.finished(batch)["counts"]["cancelled"] > 0
    operator.go(f"/admin/batches/{batch}")
    operator.press("Retry")
    operator.is_told(re.compile("queued again|completed with a late answer"))
    assert service.finished(batch)["counts"]["completed"] == 300


def test_a_batch_is_made_of_what_is_pasted_once_somebody_has_seen_it(operator: Visitor, service: Up) -> None:
    operator.go("/admin/batches")
    operator.page.get_by_role("link", name="New batch").click()
    operator.page.get_by_label("or paste").fill("Name a tree.\nName a bush.\n")
    operator.page.get_by_label("Name", exact=True).fill("plants")
    operator.page.get_by_role("button", name="Look at it").click()
    operator.shows("Name a bush.")
    operator.page.get_by_role("button", name="Make a batch of 2 jobs").click()
    operator.is_told("The batch is made, of 2 jobs.")
    expect(operator.page.get_by_role("heading", level=1)).to_contain_text("plants")


def test_selected_jobs_are_cancelled_and_all_that_match_retried(operator: Visitor, service: Up) -> None:
    batch = service.submit({f"wind-{number}": "Name a kind of wind." for number in range(200)})
    operator.go(f"/admin/batches/{batch}")
    operator.press("Pause", reason="one by one")
    operator.go(f"/admin/jobs?batch={batch}&state=queued")
    for number in range(2):
        operator.page.get_by_role("checkbox", name="Select").nth(number).check()
    operator.page.get_by_role("button", name="Cancel selected").click()
    operator.page.get_by_role("button", name=re.compile("Cancel 2 jobs")).click()
    operator.is_told("2 jobs cancelled.")
    operator.go(f"/admin/jobs?batch={batch}&state=cancelled")
    operator.page.get_by_role("button", name="Retry all that match").click()
    operator.page.get_by_role("button", name=re.compile("Retry 2 jobs")).click()
    operator.is_told("2 jobs queued again.")
    operator.go(f"/admin/batches/{batch}")
    operator.press("Resume")
    assert service.finished(batch)["counts"]["completed"] == 200


def test_a_job_is_completed_by_hand_and_its_texts_are_shown_on_request(operator: Visitor, service: Up) -> None:
    batch = service.submit({"by-hand": "A prompt to be seen."})
    service.finished(batch)
    job = service.request("GET", f"/api/batches/{batch}/jobs").json()["items"][0]["id"]
    operator.go(f"/admin/jobs/{job}")
    assert "A prompt to be seen." not in operator.page.content()
    operator.page.get_by_role("button", name="Show prompt and answer").click()
    operator.shows("A prompt to be seen.")
    paused = service.submit({f"held-{number}": "Wait." for number in range(300)})
    operator.go(f"/admin/batches/{paused}")
    operator.press("Pause", reason="by hand")
    operator.go(f"/admin/jobs?batch={paused}&state=queued")
    operator.page.locator("table th[scope=row] a").first.click()
    operator.page.locator("summary", has_text="Write the answer").click()
    operator.page.get_by_label("Answer", exact=True).fill("An answer from elsewhere.")
    form = operator.page.locator("form", has=operator.page.get_by_label("Answer", exact=True))
    form.get_by_label("Why?").fill("the provider lost it")
    form.get_by_role("button").click()
    operator.is_told("completed with this answer")
    operator.go(f"/admin/batches/{paused}")
    operator.press("Cancel")


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
    operator.shows("nothing has this name")


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
    operator.shows("revoked")
    assert service.with_key(key[0]).status_code == 401


def test_the_doctor_is_asked_from_the_page(operator: Visitor) -> None:
    operator.go("/admin/system")
    operator.press("Check the installation")
    operator.shows("echo")
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
