"""The page of all jobs: what an address asks for is what is shown, and the address can be shared."""

import re
from collections.abc import Iterator
from html import unescape
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from app import ids
from app.providers.base import Accepted
from app.runtime import Runtime
from app.services import creation
from app.services.views import NewBatch, NewJob
from app.store import joblists as store
from tests.factories import deliver, job, record, take
from tests.fakes import failure, success
from tests.integration.browsers import HOSTILE, links, logged_in


@pytest.fixture
def page(runtime: Runtime) -> Iterator[FlaskClient]:
    with logged_in(runtime) as browser:
        yield browser


def store_jobs(runtime: Runtime, *names: str, batch: str | None = "spring") -> UUID:
    jobs = [NewJob(name, "a prompt", {}) for name in names]
    return creation.create(runtime, NewBatch(owner="dev", name=batch, max_attempts=1), jobs).batch.id


def shown(text: str) -> list[str]:
    """The names in the table of a page."""
    return re.findall(r'/admin/jobs/job_\w+"><bdi>([^<]+)</bdi>', text)


def test_all_jobs_are_listed_over_pages_that_keep_what_is_asked(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = store_jobs(runtime, *[f"sku-{number}" for number in range(60)])
    other = store_jobs(runtime, "other")
    path = f"/admin/jobs?state=queued&batch={ids.show('batch', batch_id)}"
    first = page.get(path)
    (following,) = [link for link in links(first, "/admin/jobs?") if "cursor=" in link]
    assert "state=queued" in following
    second = page.get(following)
    assert shown(first.text + second.text) == [f"sku-{number}" for number in range(60)]
    assert "In input order." in first.text
    assert "More jobs" not in second.text
    assert shown(page.get("/admin/jobs").text)[0] == "other"
    assert f"/admin/batches/{ids.show('batch', other)}" in page.get("/admin/jobs").text


def test_a_job_says_its_batch_its_error_and_how_long_it_took(page: FlaskClient, runtime: Runtime) -> None:
    store_jobs(runtime, "good", "bad")
    good, bad = take(runtime, 2)
    for claimed in (good, bad):
        record(runtime, claimed, Accepted("task", 200))
    deliver(runtime, good.submission, success("x"))
    deliver(runtime, bad.submission, failure("9"))
    text = page.get("/admin/jobs?state=failed").text
    assert shown(text) == ["bad"]
    (by_error,) = set(re.findall(r'/admin/jobs\?error=([^"]+)"', text))
    assert shown(page.get(f"/admin/jobs?error={by_error}").text) == ["bad"]
    assert re.search(r'data-label="Latency" class="num">\d', page.get("/admin/jobs?state=completed").text)


def test_a_filter_shows_itself_again(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = store_jobs(runtime, "one", "two")
    path = f"/admin/jobs?state=queued&state=failed&id=one&attempts=0&created=24h&batch={ids.show('batch', batch_id)}"
    text = page.get(path).text
    assert shown(text) == ["one"]
    for said in (
        'value="queued" checked',
        'value="failed" checked',
        'value="24h" selected',
        'name="id" maxlength="512" value="one"',
    ):
        assert said in text
    assert 'value="waiting" checked' not in text


@pytest.mark.parametrize(
    "query",
    ["state=gone", "batch=nobody", "attempts=x", "created=ever", "created_from=soon", "cursor=x", "finished_until=9"],
)
def test_an_address_that_was_edited_is_a_bad_link(page: FlaskClient, query: str) -> None:
    response = page.get(f"/admin/jobs?{query}")
    assert response.status_code in {400, 404}
    assert "text/html" in response.content_type


def test_instants_of_an_address_are_utc_and_bound_what_is_shown(page: FlaskClient, runtime: Runtime) -> None:
    store_jobs(runtime, "one")
    assert shown(page.get("/admin/jobs?created_from=2020-01-01T00:00").text) == ["one"]
    assert shown(page.get("/admin/jobs?created_until=2020-01-01T00:00Z").text) == []
    assert shown(page.get("/admin/jobs?created=1h&created_until=2020-01-01T00:00Z").text) == ["one"]


def test_a_look_that_was_cut_says_so_and_goes_on(
    page: FlaskClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_jobs(runtime, *"abcde")
    monkeypatch.setattr(store, "LOOKED_AT", 2)
    text = page.get("/admin/jobs?attempts=1").text
    assert "jobs were looked at for this page and 0 found" in text
    assert links(page.get("/admin/jobs?attempts=1"), "/admin/jobs?attempts=1&cursor=")


def test_an_empty_list_says_why_and_what_next(page: FlaskClient, runtime: Runtime) -> None:
    assert "No jobs yet" in page.get("/admin/jobs").text
    store_jobs(runtime, "one")
    text = page.get("/admin/jobs?id=nobody").text
    assert "No job is as asked" in text
    assert "newest 10,000 batches" in text
    assert "A callback is overdue once" in page.get("/admin/jobs?state=overdue").text


def test_hostile_names_stay_text(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = store_jobs(runtime, HOSTILE, batch=HOSTILE)
    text = page.get("/admin/jobs").text
    assert "<script>" not in text
    assert text.count("&lt;script&gt;") >= 2
    assert job(runtime, batch_id, HOSTILE).job.custom_id == HOSTILE
    assert "<script>" not in page.get("/admin/jobs", query_string={"id": HOSTILE, "error": HOSTILE}).text


def test_the_live_part_keeps_the_jobs_of_the_page_in_their_places_as_they_are_by_now(
    page: FlaskClient, runtime: Runtime
) -> None:
    store_jobs(runtime, *"abc")
    whole = page.get("/admin/jobs?state=queued").text
    (part,) = [unescape(url) for url in re.findall(r'hx-get="([^"]+)"', whole)]
    before = shown(page.get(part).text)
    take(runtime, 1)
    store_jobs(runtime, "new")
    text = page.get(part).text
    assert shown(text) == before == shown(whole)
    assert "submitting</span>" in text
    assert "The list has changed" in text
    assert "The list has changed" not in whole
