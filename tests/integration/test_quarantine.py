"""Callbacks without a token: refused, or kept for a person where the settings say so; never applied by themselves."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory

from app import create_app, ids
from app.ids import show
from app.runtime import Runtime
from app.services import matching, orphans, quarantine
from app.services.audit import By
from tests.conftest import MakeRuntime
from tests.factories import batch, drain, inbox_rows, job, states, submit, sweep
from tests.fakes import success
from tests.integration.conformance import checked_client

PATH = "/callbacks/hive"


@pytest.fixture
def runtime(make_runtime: MakeRuntime) -> Runtime:
    return make_runtime(unauthenticated_callbacks="quarantine")


@pytest.fixture
def client(runtime: Runtime) -> Iterator[FlaskClient]:
    with checked_client(create_app(runtime)) as made:
        yield made


@pytest.fixture
def batch_id(runtime: Runtime) -> UUID:
    """A batch whose only job waits as task-1."""
    found = submit(runtime, "a")
    drain(runtime)
    return found


def test_by_default_a_callback_without_a_token_meets_the_answer_of_no_path(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    client = checked_client(create_app(runtime))
    submit(runtime, "a")
    drain(runtime)
    refused, nowhere = (client.post(path, data=success(task_id="task-1")) for path in (PATH, "/nothing/here"))
    assert (refused.status_code, refused.data, list(refused.headers)) == (404, nowhere.data, list(nowhere.headers))
    assert inbox_rows(runtime) == []


@pytest.mark.parametrize("named_by", ["id", "metadata"])
def test_one_that_names_a_task_or_a_job_is_kept_and_moves_nothing(
    runtime: Runtime, client: FlaskClient, batch_id: UUID, named_by: str, clock: FrozenDateTimeFactory
) -> None:
    name = show("job", job(runtime, batch_id).job.id)
    body = success(task_id="task-1") if named_by == "id" else success(metadata=name)
    assert client.post(PATH, data=body).status_code == 200
    clock.tick(31)
    sweep(runtime)
    (row,) = inbox_rows(runtime)
    assert (row.outcome, row.source, row.attempt_id, row.job_id) == ("orphan", "unauthenticated", None, None)
    assert (bytes(row.body), row.batch_id, row.detail) == (body, batch_id, f"no token; names {name}")
    assert states(runtime, batch_id) == ["waiting"]
    assert not orphans.listing(runtime).items[0].has_token


@pytest.mark.parametrize(
    "body",
    [success(task_id="task-999"), success(metadata="job_x"), success(metadata=show("job", ids.new_id())), b"?", b""],
)
def test_one_that_names_nothing_of_ours_is_refused(
    runtime: Runtime, client: FlaskClient, batch_id: UUID, body: bytes
) -> None:
    assert client.post(PATH, data=body).status_code == 404
    assert inbox_rows(runtime) == []


def test_the_same_body_again_takes_no_more_room_and_changes_no_figure(
    runtime: Runtime, client: FlaskClient, batch_id: UUID
) -> None:
    before = batch(runtime, batch_id)
    assert [client.post(PATH, data=success(task_id="task-1")).status_code for _ in range(3)] == [200] * 3
    assert (len(inbox_rows(runtime)), batch(runtime, batch_id)) == (1, before)


def test_there_is_an_end_to_what_strangers_can_have_kept(
    runtime: Runtime, client: FlaskClient, batch_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MOST_ROWS", 2)
    bodies = [success(str(number), task_id="task-1") for number in range(4)]
    answers = [client.post(PATH, data=body) for body in bodies]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    orphans.discard(runtime, orphans.listing(runtime).items[0].id, By("cli", "forged"))
    assert client.post(PATH, data=bodies[3]).status_code == 200


def test_one_that_is_too_long_is_not_kept(
    runtime: Runtime, client: FlaskClient, batch_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MOST_BYTES", 100)
    assert client.post(PATH, data=success("x" * 100, task_id="task-1")).status_code == 413
    assert inbox_rows(runtime) == []


def test_a_person_may_match_one_to_the_attempt_that_it_names(
    runtime: Runtime, client: FlaskClient, batch_id: UUID
) -> None:
    client.post(PATH, data=success("shown at the provider too", task_id="task-1"))
    (listed,) = orphans.listing(runtime).items
    this = job(runtime, batch_id).job.id
    matching.match(runtime, listed.id, this, by=By("cli", "compared"))
    found = job(runtime, batch_id)
    assert (found.job.state, found.job.attempts, len(found.attempts)) == ("completed", 1, 1)
    assert found.result is not None
    assert (found.result.text, found.result.source) == ("shown at the provider too", "operator")
