"""The admin page over a real database: what it shows is what is stored, what it does is done."""

import dataclasses
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from freezegun import freeze_time

from app import clock, ids
from app.runtime import Runtime
from app.services import callbacks, claims, creation, status, sweeps
from app.services.views import NewBatch, NewJob
from app.tokens import CallbackSubject
from tests.fakes import unrecognised
from tests.integration.browsers import HOSTILE, logged_in, press


@pytest.fixture
def page(runtime: Runtime) -> Iterator[FlaskClient]:
    """A browser that is logged in."""
    with logged_in(runtime) as browser:
        yield browser


def _store(runtime: Runtime, *texts: str, name: str | None = "spring") -> UUID:
    jobs = [NewJob(f"sku-{number}", text, {}) for number, text in enumerate(texts)]
    return creation.create(runtime, NewBatch(owner="dev", name=name), jobs).batch.id


def _answer(runtime: Runtime, batch_id: UUID, text: str) -> None:
    (claimed,) = claims.claim(runtime, "hive_v2", 1, is_idle=True)
    _call_back(runtime, batch_id, claimed.attempt_id, text)


def _call_back(runtime: Runtime, batch_id: UUID, attempt_id: UUID, text: str) -> None:
    """Deliver an answer as the provider would; what follows from it is done when this returns."""
    token = runtime.signer.sign(CallbackSubject(batch_id, attempt_id))
    tasks = [{"status": {"code": "0"}, "response": {"output": [{"text": text}]}}]
    callbacks.receive(runtime, token, json.dumps({"id": "t-1", "status": tasks}).encode())
    runtime.callback_commits.wait_until_idle()


def _only_job(runtime: Runtime, batch_id: UUID) -> UUID:
    (job,) = status.jobs(runtime, None, batch_id).items
    return job.id


def test_an_empty_service_says_how_to_begin(page: FlaskClient) -> None:
    assert "No batches yet" in page.get("/admin/batches").text
    assert "No worker is running" in page.get("/admin/").text


def test_the_list_shows_every_batch_once_newest_first_over_its_pages(page: FlaskClient, runtime: Runtime) -> None:
    stored = [ids.show("batch", _store(runtime, "a prompt")) for _ in range(30)]
    first = page.get("/admin/batches").text
    (following,) = re.findall(r'href="(/admin/batches\?cursor=[^"]+)"', first)
    second = page.get(following).text
    shown = re.findall(r'href="/admin/batches/(batch_\w+)"', first + second)
    assert shown == stored[::-1]
    assert "Older batches" not in second


def test_a_worker_that_swept_is_told(page: FlaskClient, runtime: Runtime) -> None:
    sweeps.sweep(runtime, "worker-1")
    text = page.get("/admin/").text
    assert "1 alive" in text
    assert "No worker is running" not in text


def test_the_jobs_of_a_batch_come_in_input_order_over_pages_and_by_state(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _store(runtime, *["a prompt"] * 51)
    _answer(runtime, batch_id, "an answer")
    path = f"/admin/batches/{ids.show('batch', batch_id)}"
    first = page.get(path).text
    (following,) = re.findall(r'href="([^"]+)" rel="next"', first)
    second = page.get(following.replace("&amp;", "&")).text
    assert re.findall(r"<bdi>(sku-\d+)</bdi>", first + second) == [f"sku-{number}" for number in range(51)]
    assert len(re.findall(r"<bdi>sku-\d+</bdi>", page.get(f"{path}?state=completed").text)) == 1


def test_a_job_shows_prompt_answer_attempt_and_callback_harmlessly(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _store(runtime, HOSTILE + "x" * 60_000, name=HOSTILE)
    _answer(runtime, batch_id, "the answer " + HOSTILE)
    path = f"/admin/jobs/{ids.show('job', _only_job(runtime, batch_id))}"
    assert "the answer" not in page.get(path).text
    text = press(page, f"{path}/texts").text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "the answer" in text
    assert "x" * 60_000 in text
    assert "Callback for attempt 1 applied" in text
    assert "Job completed" in text


def test_cancelling_ends_the_open_jobs_and_says_how_many(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _store(runtime, "one", "two")
    path = f"/admin/batches/{ids.show('batch', batch_id)}"
    assert "Cancel 2 open jobs" in page.get(path).text
    after = press(page, f"{path}/cancel")
    assert "2 jobs cancelled." in after.text
    assert status.batch(runtime, None, batch_id).counts["cancelled"] == 2
    assert "There was no open job any more." in press(page, f"{path}/cancel").text


def test_pausing_says_why_until_somebody_resumes(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _store(runtime, "one")
    path = f"/admin/batches/{ids.show('batch', batch_id)}"
    assert "Pause" in page.get(path).text
    after = press(page, f"{path}/pause", reason=f"lunch {HOSTILE}\x00")
    assert "Nothing more is submitted from this batch." in after.text
    assert "lunch &lt;script&gt;" in after.text
    assert status.batch(runtime, None, batch_id).status == "paused"
    assert "The batch is in_progress now." in press(page, f"{path}/resume").text


def test_a_reason_is_cut_to_what_is_kept_of_it_and_may_be_left_out(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _store(runtime, "one")
    path = f"/admin/batches/{ids.show('batch', batch_id)}"
    for given, kept in ((" ", "No reason was given."), ("x" * 600, "x" * 500)):
        press(page, f"{path}/pause", reason=given)
        assert [hold.message for hold in status.batch(runtime, None, batch_id).holds] == [kept]


def test_a_stale_pause_says_what_the_batch_is_now(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _store(runtime, "one")
    _answer(runtime, batch_id, "an answer")
    after = press(page, f"/admin/batches/{ids.show('batch', batch_id)}/pause", reason="late")
    assert "Not paused:" in after.text
    assert "The batch is completed now." in after.text


def test_a_batch_and_a_job_say_why_they_wait_and_not_once_they_are_over(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _store(runtime, "one")
    paths = (f"batches/{ids.show('batch', batch_id)}", f"jobs/{ids.show('job', _only_job(runtime, batch_id))}")
    press(page, f"/admin/{paths[0]}/pause", reason=f"lunch {HOSTILE}")
    for path in paths:
        text = page.get(f"/admin/{path}").text
        assert "Why it waits" in text
        assert "The batch is held (operator): lunch &lt;script&gt;" in text
        assert "Ends when somebody resumes it." in text
    press(page, f"/admin/{paths[0]}/resume")
    _answer(runtime, batch_id, "an answer")
    assert not [path for path in paths if "Why it waits" in page.get(f"/admin/{path}").text]


def test_retrying_a_batch_queues_its_jobs_again(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _store(runtime, "one", "two")
    path = f"/admin/batches/{ids.show('batch', batch_id)}"
    press(page, f"{path}/cancel")
    assert "Retry 2 cancelled jobs" in page.get(path).text
    assert "2 jobs queued again." in press(page, f"{path}/retry").text
    assert status.batch(runtime, None, batch_id).counts["queued"] == 2
    assert "There was nothing to retry any more." in press(page, f"{path}/retry").text


def test_retrying_one_job_leaves_the_others(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _store(runtime, "one", "two")
    press(page, f"/admin/batches/{ids.show('batch', batch_id)}/cancel")
    job = status.jobs(runtime, None, batch_id).items[1]
    after = press(page, f"/admin/jobs/{ids.show('job', job.id)}/retry")
    assert "1 job queued again." in after.text
    assert [job.state for job in status.jobs(runtime, None, batch_id).items] == ["cancelled", "queued"]


def test_a_late_answer_that_is_stored_is_taken_by_a_retry_and_said_to_cost_nothing(
    page: FlaskClient, runtime: Runtime
) -> None:
    batch_id = _store(runtime, "one")
    (claimed,) = claims.claim(runtime, "hive_v2", 1, is_idle=True)
    path = f"/admin/batches/{ids.show('batch', batch_id)}"
    press(page, f"{path}/cancel")
    _call_back(runtime, batch_id, claimed.attempt_id, "late")
    assert "already stored, at no cost" in press(page, f"{path}/retry").text
    assert status.batch(runtime, None, batch_id).counts["completed"] == 1


def test_a_stale_retry_says_what_the_job_is_now(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _store(runtime, "one")
    _answer(runtime, batch_id, "an answer")
    after = press(page, f"/admin/jobs/{ids.show('job', _only_job(runtime, batch_id))}/retry")
    assert "Not retried:" in after.text
    assert "The job is completed now." in after.text


def test_a_stale_cancel_says_what_the_batch_is_now(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _store(runtime, "one")
    _answer(runtime, batch_id, "an answer")
    after = press(page, f"/admin/batches/{ids.show('batch', batch_id)}/cancel")
    assert "Nothing was cancelled:" in after.text
    assert "The batch is completed now." in after.text


def test_a_batch_that_expired_says_so_and_can_be_retried(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _store(runtime, "one")
    with freeze_time(clock.now() + timedelta(days=8)):
        sweeps.sweep(runtime, "worker-1")
    text = page.get(f"/admin/batches/{ids.show('batch', batch_id)}").text
    assert "batch_expired" in text
    assert "Retry 1 failed job" in text


@pytest.mark.parametrize("kind", ["batch", "job"])
def test_what_does_not_exist_is_a_page_not_found(page: FlaskClient, kind: ids.Kind) -> None:
    path = f"/admin/{kind}{'es' if kind == 'batch' else 's'}/{ids.show(kind, ids.new_id())}"
    for response in (page.get(path), press(page, f"{path}/retry")):
        assert response.status_code == 404
        assert response.mimetype == "text/html"
        assert f"No {kind} found" in response.text


def test_a_cursor_of_nobody_is_a_bad_link(page: FlaskClient) -> None:
    response = page.get("/admin/batches?cursor=nobody")
    assert response.status_code == 400
    assert "This link does not work" in response.text


def test_a_button_reads_stored_answers_again(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = _store(runtime, "one")
    (claimed,) = claims.claim(runtime, "hive_v2", 1, is_idle=True)
    callbacks.receive(runtime, claimed.submission.callback_url.rsplit("/", 1)[1], unrecognised())
    path = f"/admin/batches/{ids.show('batch', batch_id)}"
    assert "Read stored answers again" in page.get(path).text
    assert "1 job read again, 0 jobs completed, at no cost." in press(page, f"{path}/reparse").text


def test_a_worker_whose_clock_is_off_is_told_on_the_first_page(page: FlaskClient, runtime: Runtime) -> None:
    sweeps.sweep(runtime, "worker-1")
    assert "stands aside" not in page.get("/admin/").text
    behind = dataclasses.replace(runtime, database_clock=lambda _: clock.now() + timedelta(seconds=90))
    sweeps.sweep(behind, "worker-2")
    runtime.clock_is_off.clear()
    text = page.get("/admin/").text
    assert "<code>worker-2</code> is 1 m 30 s" in text
    assert "behind the database" in text
    assert "clock of this process" not in text


def test_a_web_process_whose_clock_is_off_says_so_on_the_first_page(page: FlaskClient, runtime: Runtime) -> None:
    built: Runtime = page.application.extensions["hivebatch"]
    ahead = dataclasses.replace(built, database_clock=lambda _: clock.now() - timedelta(seconds=90))
    page.application.extensions["hivebatch"] = ahead
    text = page.get("/admin/").text
    assert "The clock of this process is wrong:</strong> 1 m 30 s" in text
    assert "ahead of the database" in text
