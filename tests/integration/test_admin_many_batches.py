"""The buttons for several batches: they name which are meant, do it one by one, and tell of those that are over."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import ids
from app.runtime import Runtime
from app.services import batches, status
from tests.factories import counts, submit
from tests.integration.browsers import fields_of, logged_in


@pytest.fixture
def page(runtime: Runtime) -> Iterator[FlaskClient]:
    with logged_in(runtime) as browser:
        yield browser


def ask(page: FlaskClient, what: str, *batch_ids: UUID, **kept: str) -> TestResponse:
    """Press the button of the list with these selected."""
    chosen = [ids.show("batch", batch_id) for batch_id in batch_ids]
    return page.get("/admin/batches/change", query_string={"do": what, "batch": chosen, **kept})


def go_on(page: FlaskClient, asked: TestResponse, **fields: str) -> TestResponse:
    """Press the button of the page that asks."""
    said = fields_of(asked, 'action="/admin/batches/change"')
    return page.post("/admin/batches/change", data={**said, **fields}, follow_redirects=True)


def test_selected_batches_are_named_then_paused_with_a_reason_and_resumed(page: FlaskClient, runtime: Runtime) -> None:
    first, second, over = submit(runtime, "a"), submit(runtime, "b", "c"), submit(runtime, "d")
    batches.cancel(runtime, None, over)
    assert f'type="checkbox" name="batch" value="{ids.show("batch", first)}"' in page.get("/admin/batches").text
    asked = ask(page, "pause", first, second, over, name="")
    assert "Pause 2 batches</h1>" in asked.text
    assert "Nothing is done to this one" in asked.text
    done = go_on(page, asked, reason="the prompt is wrong")
    assert "2 batches paused." in done.text
    assert done.request.path == "/admin/batches"
    assert [status.batch(runtime, None, each).status for each in (first, second)] == ["paused", "paused"]
    (hold,) = status.batch(runtime, None, first).holds
    assert hold.message == "the prompt is wrong"
    assert "2 batches resumed." in go_on(page, ask(page, "resume", first, second)).text
    assert status.batch(runtime, None, first).status == "in_progress"


def test_selected_batches_are_cancelled_and_retried(page: FlaskClient, runtime: Runtime) -> None:
    first, second = submit(runtime, "a"), submit(runtime, "b", "c")
    asked = ask(page, "cancel", first, second, status="in_progress")
    done = go_on(page, asked)
    assert "2 batches cancelled." in done.text
    assert done.request.query_string == b"status=in_progress"
    assert (counts(runtime, first), counts(runtime, second)) == ({"cancelled": 1}, {"cancelled": 2})
    again = go_on(page, asked)
    assert "Nothing was done to the others: 2 are cancelled now." in again.text
    assert "2 batches retried." in go_on(page, ask(page, "retry", first, second)).text
    assert counts(runtime, second) == {"queued": 2}


def test_a_batch_that_is_gone_by_now_is_told(page: FlaskClient, runtime: Runtime) -> None:
    asked = ask(page, "cancel", submit(runtime, "a"))
    gone = go_on(page, asked, batch=ids.show("batch", ids.new_id()))
    assert "Nothing was done to the others: 1 is gone now." in gone.text


def test_what_can_not_be_done_to_any_of_them_has_no_button(page: FlaskClient, runtime: Runtime) -> None:
    asked = ask(page, "resume", submit(runtime, "a"))
    assert "None of those that were selected can be resumed." in asked.text
    assert 'method="post" action="/admin/batches/change"' not in asked.text


def test_nothing_selected_is_said_and_keeps_the_filter(page: FlaskClient) -> None:
    answer = page.get("/admin/batches/change?do=pause&owner=alice", follow_redirects=True)
    assert "No batch was selected." in answer.text
    assert answer.request.query_string == b"owner=alice"


@pytest.mark.parametrize("query", ["do=forget", "do=", "do=pause&batch=batch_x"])
def test_an_edited_address_is_refused(page: FlaskClient, query: str) -> None:
    assert page.get(f"/admin/batches/change?{query}").status_code in {400, 404, 422}
