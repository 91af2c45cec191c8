"""The page of one job: its texts are shown to whoever asks and is written down; its buttons do what they say."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app import ids
from app.models import audit_events
from app.providers.base import Accepted
from app.runtime import Runtime
from tests.factories import counts, deliver, job, record, submit, take_one
from tests.fakes import success, unrecognised
from tests.integration.browsers import HOSTILE, logged_in, press


@pytest.fixture
def page(runtime: Runtime) -> Iterator[FlaskClient]:
    with logged_in(runtime) as browser:
        yield browser


def path_of(runtime: Runtime, batch_id: UUID) -> str:
    return f"/admin/jobs/{ids.show('job', job(runtime, batch_id).job.id)}"


def audited(runtime: Runtime) -> list[tuple[str, str, str | None]]:
    with runtime.database.reading() as connection:
        rows = connection.execute(select(audit_events).order_by(audit_events.c.id)).all()
    return [(row.action, row.subject, row.details.get("reason")) for row in rows if row.action.startswith("job")]


def test_prompt_and_answer_are_shown_on_request_and_that_is_written_down(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = submit(runtime, f"my prompt {HOSTILE}")
    deliver(runtime, take_one(runtime).submission, success(f"the answer {HOSTILE}"))
    path = path_of(runtime, batch_id)
    before = page.get(path).text
    assert "my prompt" not in before
    assert "the answer" not in before
    assert audited(runtime) == []
    asked = press(page, f"{path}/texts")
    assert "my prompt &lt;script&gt;" in asked.text
    assert "the answer &lt;script&gt;" in asked.text
    assert asked.headers["Cache-Control"] == "no-store"
    assert audited(runtime) == [("job.read", path.rsplit("/", 1)[1], None)]
    assert page.get(f"{path}/texts").status_code in {404, 405}


def test_a_job_is_cancelled_once_and_then_says_what_it_is(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    path = path_of(runtime, batch_id)
    assert "Cancel this job" in page.get(path).text
    assert "The job is cancelled." in press(page, f"{path}/cancel", reason="no use").text
    again = press(page, f"{path}/cancel", reason="no use").text
    assert "Not cancelled: It is over. The job is cancelled now." in again
    assert audited(runtime) == [("jobs.cancel", path.rsplit("/", 1)[1], "no use")]


def test_a_job_is_marked_failed_with_a_reason(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    path = path_of(runtime, batch_id)
    assert "Not marked failed: Say why." in press(page, f"{path}/fail").text
    assert counts(runtime, batch_id) == {"queued": 1}
    text = press(page, f"{path}/fail", reason=f"it hangs {HOSTILE}").text
    assert "The job is failed." in text
    assert "it hangs &lt;script&gt;" in text
    assert "Not marked failed: It is over. The job is failed now." in press(page, f"{path}/fail", reason="x").text


def test_a_job_is_completed_with_a_text_as_it_was_written(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    record(runtime, take_one(runtime), Accepted("task-1", 200))
    path = path_of(runtime, batch_id)
    written = "first\r\nsecond " + HOSTILE + "x" * 600_000
    assert "Say why" in press(page, f"{path}/complete", text=written).text
    assert "some text" in press(page, f"{path}/complete", text=" ", reason="seen").text
    text = press(page, f"{path}/complete", text=written, reason="seen").text
    assert "The job is completed with this answer." in text
    assert "Answered, by operator" in text
    found = job(runtime, batch_id).result
    assert found is not None
    assert found.text == written.replace("\r\n", "\n")
    assert "never replaced" in press(page, f"{path}/complete", text="again", reason="x").text


def test_what_came_for_a_job_is_read_again(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    deliver(runtime, take_one(runtime).submission, unrecognised())
    path = path_of(runtime, batch_id)
    assert "Read stored answers again" in page.get(path).text
    assert "Still no text was recognised" in press(page, f"{path}/reparse").text


def test_a_form_that_brings_no_text_is_as_small_as_before(page: FlaskClient, runtime: Runtime) -> None:
    path = path_of(runtime, submit(runtime, "a"))
    assert press(page, f"{path}/cancel", reason="x" * 20_000).status_code == 413
