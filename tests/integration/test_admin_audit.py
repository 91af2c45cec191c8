"""The page of the audit: who did what to what, and why, found by any of it."""

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from app import ids
from app.runtime import Runtime
from app.services import audit, batches, pausing
from app.services.audit import By
from tests.factories import submit
from tests.integration.browsers import logged_in, press

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def page(runtime: Runtime) -> Iterator[FlaskClient]:
    """A browser of an operator."""
    with logged_in(runtime) as browser:
        yield browser


def rows(page: FlaskClient, **filters: str) -> list[tuple[str, str]]:
    """Who did what, as the page has it from the newest on."""
    text = page.get("/admin/audit", query_string=filters).text
    whos = re.findall(r'data-label="Who"[^>]*><a [^>]*><bdi>([^<]+)', text)
    return list(zip(whos, re.findall(r'data-label="What"><a [^>]*>([^<]+)', text), strict=True))


def test_a_login_is_written_down_first(page: FlaskClient) -> None:
    assert rows(page) == [("operator", "admin.login")]


def test_what_was_done_is_found_by_who_by_what_and_by_to_what(page: FlaskClient, runtime: Runtime) -> None:
    batch_id, other = submit(runtime, "a"), submit(runtime, "b")
    pausing.pause(runtime, "alice", batch_id, "lunch")
    pausing.resume(runtime, "alice", batch_id)
    batches.cancel(runtime, None, other, by=By("operator", "not needed"))
    cancel, resume, pause = ("operator", "batch.cancel"), ("alice", "batch.resume"), ("alice", "batch.pause")
    assert rows(page)[:3] == [cancel, resume, pause]
    assert rows(page, actor="alice") == [resume, pause]
    assert rows(page, action="batch.cancel") == [cancel]
    assert rows(page, subject=ids.show("batch", batch_id)) == [resume, pause]
    assert rows(page, subject=ids.show("batch", batch_id), action="batch.pause", actor=" alice ") == [pause]
    assert rows(page, subject=ids.show("batch", other), actor="alice") == []
    assert rows(page, actor="ali") == []
    assert "not needed" in page.get("/admin/audit").text


def test_reasons_and_details_are_shown_harmlessly_and_lead_to_what_it_was_done_to(
    page: FlaskClient, runtime: Runtime
) -> None:
    shown = ids.show("batch", submit(runtime, "a"))
    press(page, f"/admin/batches/{shown}/pause", reason=HOSTILE)
    audit.note(runtime, By(HOSTILE), "x", HOSTILE, names=[HOSTILE, "b"], is_well=True)
    text = page.get("/admin/audit").text
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4
    assert "is_well <bdi>yes</bdi>" in text
    assert f'href="/admin/batches/{shown}"' in text


def test_actions_come_newest_first_over_pages_that_keep_the_filter(page: FlaskClient, runtime: Runtime) -> None:
    for number in range(52):
        audit.note(runtime, By("cli"), "x", f"thing {number}")
        audit.note(runtime, By("somebody"), "x", "else")
    first = page.get("/admin/audit?actor=cli").text
    (following,) = re.findall(r'href="([^"]+)" rel="next"', first)
    second = page.get(following.replace("&amp;", "&")).text
    things = re.findall(r"<bdi>thing (\d+)</bdi>", first + second)
    assert things == [str(number) for number in range(51, -1, -1)]
    assert "else" not in re.findall(r"<bdi>(\w+)</bdi>", first + second)


def test_a_filter_that_fits_nothing_and_a_cursor_of_nobody_say_so(page: FlaskClient) -> None:
    assert "Nothing was done that fits this filter" in page.get("/admin/audit?actor=nobody").text
    assert page.get("/admin/audit?cursor=nobody").status_code == 400
    assert page.get("/admin/audit?actor=%00").status_code == 200
