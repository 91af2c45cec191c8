"""The pages of callbacks: what needs a look comes first; a body is shown to whoever is written down as its reader."""

import re
from collections.abc import Iterator
from html import unescape
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app import ids
from app.models import audit_events
from app.providers.base import Accepted
from app.runtime import Runtime
from app.services import batches, callbacks, orphans
from app.tokens import CallbackSubject
from tests.factories import counts, deliver, inbox_rows, job, record, submit, take, take_one
from tests.fakes import success
from tests.integration.browsers import HOSTILE, links, logged_in, press


@pytest.fixture
def page(runtime: Runtime) -> Iterator[FlaskClient]:
    with logged_in(runtime) as browser:
        yield browser


def orphan(runtime: Runtime, text: str) -> str:
    """A callback for an attempt that isn't here; its shown id."""
    callbacks.receive(runtime, runtime.signer.sign(CallbackSubject(ids.new_id(), ids.new_id())), success(text))
    return ids.show("callback", orphans.listing(runtime).items[0].id)


def of_each_kind(runtime: Runtime) -> dict[str, str]:
    """A callback of each outcome, by it; their shown ids."""
    batch_id = submit(runtime, *"abcd")
    applied, late, conflict, invalid = take(runtime, 4)
    record(runtime, conflict, Accepted("task-1", 200))
    batches.cancel(runtime, None, batch_id, ["job-1"])
    for claimed, body in ((applied, success("x")), (late, success("y")), (invalid, b"?")):
        deliver(runtime, claimed.submission, body)
    deliver(runtime, conflict.submission, success("z", task_id="task-2"))
    orphan(runtime, "whose?")
    return {row.outcome: ids.show("callback", row.id) for row in inbox_rows(runtime)}


def listed(page: FlaskClient, query: str = "") -> set[str]:
    return set(re.findall(r"/admin/callbacks/(callback_\w+)", page.get(f"/admin/callbacks{query}").text))


def audited(runtime: Runtime, *actions: str) -> list[str]:
    with runtime.database.reading() as connection:
        rows = connection.execute(select(audit_events).order_by(audit_events.c.id)).all()
    return [row.subject for row in rows if row.action in actions]


def test_what_somebody_has_to_look_at_comes_first_and_each_outcome_has_its_list(
    page: FlaskClient, runtime: Runtime
) -> None:
    assert "Nothing to look at" in page.get("/admin/callbacks").text
    assert "No callbacks yet" in page.get("/admin/callbacks?outcome=all").text
    found = of_each_kind(runtime)
    assert set(found) == {"applied", "late", "conflict", "invalid", "orphan"}
    assert listed(page) == {found[outcome] for outcome in ("orphan", "invalid", "conflict")}
    for outcome in ("orphan", "invalid", "conflict", "late"):
        assert listed(page, f"?outcome={outcome}") == {found[outcome]}
    assert listed(page, "?outcome=all") == set(found.values())
    assert page.get("/admin/callbacks?outcome=gone").status_code == 400


def test_the_list_goes_on_over_pages(page: FlaskClient, runtime: Runtime) -> None:
    stored = {orphan(runtime, str(number)) for number in range(51)}
    first = page.get("/admin/callbacks?outcome=orphan")
    (following,) = [link for link in links(first, "/admin/callbacks?") if "cursor=" in link]
    assert listed(page, "?outcome=orphan") | listed(page, following.removeprefix("/admin/callbacks")) == stored
    assert "Older callbacks" not in page.get(following).text


def test_new_callbacks_are_told_and_move_nothing(page: FlaskClient, runtime: Runtime) -> None:
    first = orphan(runtime, "first")
    (part,) = [unescape(url) for url in re.findall(r'hx-get="([^"]+)"', page.get("/admin/callbacks").text)]
    orphan(runtime, "second")
    text = page.get(part).text
    assert set(re.findall(r"/admin/callbacks/(callback_\w+)", text)) == {first}
    assert "1 new callback" in text


def test_a_body_is_shown_on_request_which_is_written_down(page: FlaskClient, runtime: Runtime) -> None:
    shown = orphan(runtime, f"the answer {HOSTILE}" + "x" * 30_000)
    path = f"/admin/callbacks/{shown}"
    before = page.get(path).text
    assert "an answer" in before
    assert "the answer" not in before
    assert audited(runtime, "callback.read") == []
    asked = press(page, f"{path}/body").text
    assert "the answer" in asked
    assert "<script>alert" not in asked
    assert "Cut: it has" in asked
    assert audited(runtime, "callback.read") == [shown]


def test_an_orphan_is_matched_with_a_reason(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = submit(runtime, "one")
    shown, target = orphan(runtime, "found"), ids.show("job", job(runtime, batch_id).job.id)
    path = f"/admin/callbacks/{shown}/match"
    assert "say why" in press(page, path, job=target).text
    assert "No job found" in press(page, path, job="job_x", reason="seen").text
    assert counts(runtime, batch_id) == {"queued": 1}
    assert "completed with this answer" in press(page, path, job=target, reason="seen").text
    assert counts(runtime, batch_id) == {"completed": 1}
    assert "Nothing was matched" in press(page, path, job=target, reason="seen").text
    assert "Match</h2>" not in page.get(f"/admin/callbacks/{shown}").text


def test_an_orphan_is_discarded_by_a_post_with_a_reason(page: FlaskClient, runtime: Runtime) -> None:
    path = f"/admin/callbacks/{orphan(runtime, 'whose?')}"
    assert page.get(f"{path}/discard").status_code in {404, 405}
    assert "say why" in press(page, f"{path}/discard").text
    assert "is discarded" in press(page, f"{path}/discard", reason="not ours").text
    assert "Nothing to look at" in page.get("/admin/callbacks").text
    assert "Somebody discarded it" in page.get(path).text
    assert "Nothing was discarded" in press(page, f"{path}/discard", reason="not ours").text


def test_a_replay_says_what_became_of_it(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = submit(runtime, "one")
    deliver(runtime, take_one(runtime).submission, b"?")
    callback_id: UUID = job(runtime, batch_id).callbacks[0].id
    path = f"/admin/callbacks/{ids.show('callback', callback_id)}"
    assert "Still nobody can read it." in press(page, f"{path}/replay").text
    assert "still not here" in press(page, f"/admin/callbacks/{orphan(runtime, 'x')}/replay").text


def test_the_search_finds_a_callback(page: FlaskClient, runtime: Runtime) -> None:
    shown = orphan(runtime, "x")
    for word in (shown, shown.removeprefix("callback_")):
        response = page.get("/admin/search", query_string={"q": word})
        assert response.headers["Location"] == f"/admin/callbacks/{shown}"


def test_what_is_not_there_is_a_page_not_found(page: FlaskClient) -> None:
    path = f"/admin/callbacks/{ids.show('callback', ids.new_id())}"
    for response in (page.get(path), press(page, f"{path}/body"), press(page, f"{path}/replay")):
        assert response.status_code == 404
