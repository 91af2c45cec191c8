"""The search box: whatever is pasted leads to what it names."""

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from app import ids
from app.providers.base import Accepted
from app.runtime import Runtime
from app.services import batches
from tests.factories import job, record, submit, take
from tests.integration.browsers import HOSTILE, logged_in


@pytest.fixture
def page(runtime: Runtime) -> Iterator[FlaskClient]:
    with logged_in(runtime) as browser:
        yield browser


def find(page: FlaskClient, word: str) -> str | None:
    """Where a search leads; None: to no one thing."""
    return page.get("/admin/search", query_string={"q": word}).headers.get("Location")


def test_the_id_of_anything_leads_to_it_with_its_prefix_and_without(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = submit(runtime, "a", "b")
    (claimed,) = take(runtime, 1)
    record(runtime, claimed, Accepted("7f3c0e7e-55d0-11ee-8c99-0242ac120002", 200))
    found = job(runtime, batch_id)
    shown = ids.show("job", found.job.id)
    to_batch, to_job = f"/admin/batches/{ids.show('batch', batch_id)}", f"/admin/jobs/{shown}"
    assert find(page, f"  {ids.show('batch', batch_id)}\n") == to_batch
    assert find(page, str(batch_id)) == to_batch
    for word in (shown, found.job.id.hex, ids.show("attempt", found.attempts[0].id), str(found.attempts[0].id)):
        assert find(page, word) == to_job
    assert find(page, "7f3c0e7e-55d0-11ee-8c99-0242ac120002") == to_job


def test_a_name_leads_to_its_job_and_one_that_several_have_to_all_of_them(page: FlaskClient, runtime: Runtime) -> None:
    first = submit(runtime, "a", "b")
    assert find(page, "job-1") == f"/admin/jobs/{ids.show('job', job(runtime, first, 'job-1').job.id)}"
    second = submit(runtime, "a", "b", "c")
    assert find(page, "job-1") is None
    text = page.get("/admin/search?q=job-1").text
    listed = re.findall(r"/admin/jobs/(job_\w+)", text)
    assert listed == [ids.show("job", job(runtime, batch_id, "job-1").job.id) for batch_id in (second, first)]
    assert "2 have this name" in text


def test_what_is_not_found_is_said_with_what_was_looked_for(page: FlaskClient, runtime: Runtime) -> None:
    submit(runtime, "a")
    for word in ("nobody", ids.show("job", ids.new_id()), str(ids.new_id()), "job_x", HOSTILE, "x" * 700):
        text = page.get("/admin/search", query_string={"q": word}).text
        assert "Nothing has this name" in text
        assert "<script>alert" not in text
    assert "Paste the id" in page.get("/admin/search").text


def test_what_was_removed_is_found_no_more(
    page: FlaskClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = submit(runtime, "a")
    found = job(runtime, batch_id).job.id
    batches.cancel(runtime, None, batch_id)
    monkeypatch.setattr("app.services.removal.remove_chunk", lambda *_: False)  # the sweep has not come yet
    batches.delete(runtime, None, batch_id)
    for word in (str(batch_id), str(found), "job-0"):
        assert find(page, word) is None
        assert "Nothing has this name" in page.get("/admin/search", query_string={"q": word}).text
