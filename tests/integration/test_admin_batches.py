"""The pages of batches in a browser: the list, and one batch."""

import csv
import io
import json
import re
from collections.abc import Iterator
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory
from sqlalchemy import update

from app import ids
from app.models import callbacks
from app.runtime import Runtime
from app.services import batchpages, creation, exports, results
from app.services.views import NewBatch, NewJob
from tests.factories import deliver, sweep, take
from tests.fakes import failure, success
from tests.integration.browsers import HOSTILE, links, logged_in, press


@pytest.fixture
def page(runtime: Runtime) -> Iterator[FlaskClient]:
    with logged_in(runtime) as browser:
        yield browser


def _store(runtime: Runtime, *texts: str, name: str | None = "spring") -> UUID:
    jobs = [NewJob(f"sku-{number}", text, {}) for number, text in enumerate(texts)]
    return creation.create(runtime, NewBatch(owner="alice", name=name), jobs).batch.id


def test_the_filter_of_the_list_stands_in_its_address_and_in_every_link(page: FlaskClient, runtime: Runtime) -> None:
    for number in range(27):
        _store(runtime, "a prompt", name=f"spring {number}")
    _store(runtime, "a prompt", name="autumn")
    first = page.get("/admin/batches?status=in_progress&name=SPRING&owner=alice")
    (following,) = links(first, "/admin/batches?cursor")
    second = page.get(following)
    assert {"status=in_progress", "name=SPRING", "owner=alice"} < set(following.split("?")[1].split("&"))
    shown = re.findall(r'href="/admin/batches/(batch_\w+)"', first.text + second.text)
    assert len(set(shown)) == len(shown) == 27
    assert "autumn" not in first.text + second.text
    assert "No batch is as asked" in page.get("/admin/batches?status=failed").text
    assert page.get("/admin/batches?status=asleep").status_code == 400


def test_new_batches_are_told_above_the_list_and_move_nothing_in_it(page: FlaskClient, runtime: Runtime) -> None:
    _store(runtime, "a prompt", name="first")
    whole = page.get("/admin/batches").text
    (poll,) = re.findall(r'hx-get="([^"]+)"', whole)
    poll = poll.replace("&amp;", "&")
    assert "new batch" not in page.get(poll).text
    _store(runtime, "a prompt", name="second")
    part = page.get(poll)
    assert '1 new batch <a href="/admin/batches">Show</a>' in part.text
    assert "first" in part.text
    assert "second" not in part.text
    assert "second" in page.get("/admin/batches").text


# --- one batch ---


def _path(batch_id: UUID) -> str:
    return f"/admin/batches/{ids.show('batch', batch_id)}"


def _ended(runtime: Runtime, *bodies: bytes, name: str = "spring") -> UUID:
    """A batch with a job for each of these bodies, which came back a while after it was submitted."""
    batch_id = _store(runtime, *["a prompt"] * len(bodies), name=name)
    for claimed, body in zip(take(runtime), bodies, strict=True):
        deliver(runtime, claimed.submission, body)
    return batch_id


def test_a_batch_tells_why_its_jobs_failed_and_leads_to_them(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _ended(runtime, failure("9"), failure("9"), success())
    answer = page.get(_path(batch_id))
    (link,) = links(answer, "/admin/jobs?batch")
    assert f"batch={ids.show('batch', batch_id)}" in link
    assert "error=9" in link
    assert len(re.findall("sku-[0-9]", page.get(link).text)) >= 2
    assert "sku-2" not in page.get(link).text


def test_the_reasons_are_of_so_many_jobs_at_most_and_that_is_said(
    page: FlaskClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = _ended(runtime, failure("9"), failure("9"))
    assert "Of the first" not in page.get(_path(batch_id)).text
    monkeypatch.setattr(batchpages, "MOST_FAILED", 1)
    assert "Of the first 1 that failed." in page.get(_path(batch_id)).text


def test_a_batch_tells_how_long_its_answers_took(
    clock: FrozenDateTimeFactory, page: FlaskClient, runtime: Runtime
) -> None:
    batch_id = _store(runtime, "a", "b", "c")
    first, *others = take(runtime)
    clock.tick(2)
    deliver(runtime, first.submission, success())
    clock.tick(10)
    for claimed in others:
        deliver(runtime, claimed.submission, success())
    latencies = batchpages.story(runtime, batch_id).latencies
    assert (latencies[0].answers, latencies[-1].answers, sum(each.answers for each in latencies)) == (1, 2, 3)
    assert 2 <= latencies[0].seconds < 3 + 0.1
    assert 12 <= latencies[-1].seconds < 18 + 0.1
    assert "3 answers, the fastest within" in page.get(_path(batch_id)).text


def test_the_life_of_a_batch_has_what_people_did_to_it_and_why(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _store(runtime, "one")
    press(page, f"{_path(batch_id)}/pause", reason=f"lunch {HOSTILE}")
    press(page, f"{_path(batch_id)}/resume")
    press(page, f"{_path(batch_id)}/cancel", reason="wrong model")
    text = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", page.get(_path(batch_id)).text))
    told = ("Batch stored", "Paused", "by operator: lunch &lt;script", "Resumed", "Cancel requested", "wrong model")
    places = [text.index(each) for each in (*told, "Batch cancelled")]
    assert places == sorted(places)


def test_a_batch_that_is_open_is_kept_up_to_date_and_one_that_is_over_stands_still(
    page: FlaskClient, runtime: Runtime
) -> None:
    batch_id = _store(runtime, "one")
    whole = page.get(_path(batch_id)).text
    assert f'hx-get="{_path(batch_id)}?part=live"' in whole
    part = page.get(f"{_path(batch_id)}?part=live")
    assert "0 of 1" in part.text
    (claimed,) = take(runtime)
    deliver(runtime, claimed.submission, success())
    again = page.get(f"{_path(batch_id)}?part=live", headers={"If-None-Match": part.headers["ETag"]})
    assert (again.status_code, "1 of 1" in again.text) == (200, True)
    assert "hx-get" not in page.get(_path(batch_id)).text


def test_rows_that_leave_a_list_by_state_are_marked_so_that_none_leaves_under_the_pointer(
    page: FlaskClient, runtime: Runtime
) -> None:
    batch_id = _store(runtime, "one")
    assert "data-moves" not in page.get(_path(batch_id)).text
    assert "data-moves" in page.get(f"{_path(batch_id)}?state=queued").text


# --- its files ---


def test_the_results_are_those_of_the_api_line_by_line(
    page: FlaskClient, runtime: Runtime, client: FlaskClient, api_key: str
) -> None:
    batch_id = _ended(runtime, success('{"a": "b\n☂"}'), failure("9"), success(""))
    api = client.get(
        f"/api/batches/{ids.show('batch', batch_id)}/results", headers={"Authorization": f"Bearer {api_key}"}
    )
    taken = press(page, f"{_path(batch_id)}/results", format="ndjson")
    assert taken.headers["Content-Disposition"] == f'attachment; filename="{ids.show("batch", batch_id)}.ndjson"'
    assert [json.loads(line) for line in taken.text.splitlines()] == [
        json.loads(line) for line in api.text.splitlines()
    ]
    assert taken.text.count("\n") == 3


def test_the_table_of_results_can_be_read_back_and_no_cell_is_a_formula(page: FlaskClient, runtime: Runtime) -> None:
    texts = ('one, "two"\nthree ☂', "=HYPERLINK(1)", "-1", "plain")
    batch_id = _ended(runtime, *map(success, texts))
    taken = press(page, f"{_path(batch_id)}/results", format="csv")
    assert taken.mimetype == "text/csv"
    head, *rows = csv.reader(io.StringIO(taken.text, newline=""))
    assert tuple(head) == exports.COLUMNS
    assert [row[head.index("text")] for row in rows] == [texts[0], "'=HYPERLINK(1)", "'-1", "plain"]
    assert [row[0] for row in rows] == [f"sku-{number}" for number in range(4)]


def test_a_job_that_has_no_answer_is_a_row_too(runtime: Runtime) -> None:
    batch_id = _ended(runtime, failure("9"))
    _, row = exports.lines(results.stream(runtime, None, batch_id).lines, "csv")
    assert row.startswith("sku-0,failed,,9,")
    (line,) = exports.lines(results.stream(runtime, None, batch_id).lines, "ndjson")
    assert "text" not in json.loads(line)


def test_results_are_taken_by_a_form_alone_in_a_format_that_exists(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _store(runtime, "one")
    assert page.get(f"{_path(batch_id)}/results").status_code == 404
    assert press(page, f"{_path(batch_id)}/results", format="xlsx").status_code == 400
    nobody = _path(ids.new_id())
    assert press(page, f"{nobody}/results").status_code == 404
    for file in ("manifest", "verify"):
        assert page.get(f"{nobody}/{file}").status_code == 404


def test_what_takes_long_has_a_quarter_of_the_threads_with_the_api(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _ended(runtime, success())
    places = 0
    while runtime.waiting.acquire(blocking=False):
        places += 1
    refused = [page.get(f"{_path(batch_id)}/{file}") for file in ("manifest", "verify")]
    refused.append(press(page, f"{_path(batch_id)}/results"))
    assert [(each.status_code, each.headers["Retry-After"]) for each in refused] == [(503, "1")] * 3
    assert page.get(_path(batch_id)).status_code == 200
    runtime.waiting.release(places)
    for _ in range(places + 1):  # each gives its place back
        assert page.get(f"{_path(batch_id)}/manifest").status_code == 200
        assert page.get(f"{_path(batch_id)}/verify").status_code == 200
    assert press(page, f"{_path(batch_id)}/results").status_code == 200


def test_the_manifest_is_a_file_that_ends_with_its_signature(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _ended(runtime, success())
    taken = page.get(f"{_path(batch_id)}/manifest")
    assert "attachment" in taken.headers["Content-Disposition"]
    job, end = map(json.loads, taken.text.splitlines())
    assert (job["custom_id"], end["jobs"]) == ("sku-0", 1)
    assert end["signature"]


def test_a_verification_says_what_became_of_every_job(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _ended(runtime, success(), failure("9"))
    sweep(runtime)
    text = page.get(f"{_path(batch_id)}/verify").text
    assert "All that is stored of this batch fits together" in text
    assert "1 completed, 1 failed" in text


def test_a_verification_of_what_was_changed_behind_our_back_says_what_is_broken(
    page: FlaskClient, runtime: Runtime
) -> None:
    batch_id = _ended(runtime, success())
    _overwrite_bodies(runtime, b"{}")
    text = page.get(f"{_path(batch_id)}/verify").text
    assert "promises are broken" in text
    assert text.index("bodies_are_as_they_came") < text.index("</span> well</span>")
    _overwrite_bodies(runtime, success())


def _overwrite_bodies(runtime: Runtime, body: bytes) -> None:
    with runtime.database.transaction() as connection:
        connection.execute(update(callbacks).values(body=body))
