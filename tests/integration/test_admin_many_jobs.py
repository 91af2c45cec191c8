"""The buttons for many jobs: they say how many it concerns, do it in steps, and tell of what was stale."""

import re
from collections.abc import Iterator
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import ids
from app.runtime import Runtime
from app.services import bulk, status
from tests.factories import counts, deliver, submit, take
from tests.fakes import failure
from tests.integration.browsers import fields_of, logged_in, press


@pytest.fixture
def page(runtime: Runtime) -> Iterator[FlaskClient]:
    with logged_in(runtime) as browser:
        yield browser


def failed(runtime: Runtime, number: int) -> UUID:
    batch_id = submit(runtime, *["x"] * number, max_attempts=1)
    for claimed in take(runtime, number):
        deliver(runtime, claimed.submission, failure("9"))
    return batch_id


def shown(runtime: Runtime, batch_id: UUID) -> list[str]:
    return [ids.show("job", each.id) for each in status.jobs(runtime, None, batch_id, limit=1000).items]


def go_on(browser: FlaskClient, response: TestResponse) -> TestResponse:
    """Press the button of the page that an answer brought, with what its form carries."""
    said = fields_of(response, 'action="/admin/jobs/change"')
    return browser.post("/admin/jobs/change", data=said, follow_redirects=True)


def test_selected_jobs_are_counted_then_retried(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = failed(runtime, 3)
    submit(runtime, "open")
    first, second, _ = shown(runtime, batch_id)
    listed = page.get("/admin/jobs?state=failed").text
    assert f'type="checkbox" name="job" value="{first}"' in listed
    asked = page.get(f"/admin/jobs/change?do=retry&state=failed&job={first}&job={second}")
    assert "Retry 2 jobs</h1>" in asked.text
    done = go_on(page, asked)
    assert "2 jobs queued again." in done.text
    assert done.request.path == "/admin/jobs"
    assert done.request.query_string == b"state=failed"
    assert counts(runtime, batch_id) == {"queued": 2, "failed": 1}
    again = go_on(page, asked)
    assert "Nothing was done to the others: 2 are queued now." in again.text


def test_jobs_that_were_selected_and_are_something_else_by_now_are_told(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = failed(runtime, 1)
    other = submit(runtime, "open")
    chosen = [*shown(runtime, batch_id), *shown(runtime, other)]
    text = press(page, "/admin/jobs/change", do="cancel", job=chosen).text
    assert "1 job cancelled. Nothing was done to the others: 1 is failed now." in text
    none = page.get(f"/admin/jobs/change?do=cancel&job={chosen[0]}").text
    assert "None of the selected can be cancelled" in none


def test_all_that_match_are_done_in_steps_with_their_number(
    page: FlaskClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 2)
    monkeypatch.setattr(bulk, "_CHUNKS", {"retry": 2, "cancel": 2})
    batch_id = failed(runtime, 5)
    kept = failed(runtime, 1)
    query = f"state=failed&batch={ids.show('batch', batch_id)}"
    asked = page.get(f"/admin/jobs/change?do=retry-all&{query}")
    assert "Retry 5 jobs</h1>" in asked.text
    assert "2 at a time" in asked.text
    first = go_on(page, asked)
    assert "2 of about 5 done" in first.text
    assert counts(runtime, batch_id) == {"queued": 2, "failed": 3}
    go_on(page, asked)  # pressed twice: what is done stays done
    second = go_on(page, first)
    last = go_on(page, second) if "Go on" in second.text else second
    assert re.search(r"\d jobs queued again", last.text)
    assert (counts(runtime, batch_id), counts(runtime, kept)) == ({"queued": 5}, {"failed": 1})
    assert "Retry 0 jobs</h1>" in page.get(f"/admin/jobs/change?do=retry-all&{query}").text


def test_a_filter_that_means_everything_says_so(page: FlaskClient, runtime: Runtime) -> None:
    submit(runtime, "a", "b")
    asked = page.get("/admin/jobs/change?do=cancel-all")
    assert "Cancel 2 jobs</h1>" in asked.text
    assert "No filter is set" in asked.text
    assert "2 jobs cancelled." in go_on(page, asked).text


def test_nothing_selected_is_nothing_done(page: FlaskClient, runtime: Runtime) -> None:
    submit(runtime, "a")
    assert "No job was selected." in page.get("/admin/jobs/change?do=cancel", follow_redirects=True).text
    for query in ("do=delete", "do=retry-some", "", "do=retry&job=nobody"):
        assert page.get(f"/admin/jobs/change?{query}").status_code in {400, 404}
