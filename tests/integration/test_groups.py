"""Groups of callbacks: what shares a commit comes out as if it came one by one, and is answered after it."""

import threading
import time
from dataclasses import replace

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy.exc import IntegrityError

from app import create_app
from app.db import Database
from app.errors import DatabaseUnavailable
from app.providers.base import Accepted, Submission
from app.runtime import Runtime
from app.services import inbox
from app.services.received import read
from app.store import figures
from tests.factories import (
    PROVIDER,
    attempt_states,
    counts,
    database_is_away,
    deliver,
    deliver_together,
    inbox_rows,
    interposed,
    job,
    outcomes,
    record,
    side_by_side,
    states,
    submit,
    take,
    take_one,
    token_of,
)
from tests.fakes import failure, success, unrecognised
from tests.gates import Gate

GOOD, BETTER, BAD = success("good"), success("better"), failure("9")


@pytest.mark.parametrize(
    ("bodies", "expected", "state"),
    [
        ((GOOD, BETTER), ["applied", "late"], "completed"),
        ((BAD, GOOD), ["applied", "applied"], "completed"),
        ((GOOD, BAD), ["applied", "late"], "completed"),
        ((failure("5"), GOOD), ["applied", "applied"], "completed"),
        ((failure("5"), BAD), ["applied", "late"], "queued"),
        ((BAD, failure("5")), ["applied", "late"], "failed"),
        ((unrecognised(), GOOD), ["applied", "applied"], "completed"),
        ((b"?", GOOD), ["invalid", "applied"], "completed"),
        ((success("whose?", metadata="job_x"), GOOD), ["conflict", "applied"], "completed"),
        ((success("a", task_id="t-1"), success("b", task_id="t-2")), ["applied", "conflict"], "completed"),
    ],
)
def test_two_callbacks_for_one_job_in_one_group_come_out_right(
    runtime: Runtime, bodies: tuple[bytes, bytes], expected: list[str], state: str
) -> None:
    batch_id = submit(runtime, "a")
    submitted = take_one(runtime).submission
    assert deliver_together(runtime, *[(submitted, body) for body in bodies]) == expected
    found = job(runtime, batch_id)
    assert (found.job.state, [row.outcome for row in inbox_rows(runtime)]) == (state, expected)
    assert (found.result is not None) == (state == "completed")
    assert len(attempt_states(found)) == 1


def test_the_first_of_two_answers_in_a_group_is_the_one_that_is_kept(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    submitted = take_one(runtime).submission
    deliver_together(runtime, (submitted, BETTER), (submitted, GOOD))
    found = job(runtime, batch_id)
    assert found.result is not None
    assert found.result.text == "better"


def test_the_same_body_twice_in_one_group_is_one_callback_that_came_twice(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    submitted = take_one(runtime).submission
    deliver_together(runtime, (submitted, GOOD), (submitted, GOOD), (submitted, GOOD))
    (row,) = inbox_rows(runtime)
    assert (row.times, row.outcome, states(runtime, batch_id)) == (3, "applied", ["completed"])


def test_a_group_for_many_jobs_gives_each_its_own(runtime: Runtime) -> None:
    batch_id = submit(runtime, *map(str, range(20)))
    claimed = take(runtime)
    bodies = [(each.submission, success(f"answer {each.submission.text_data}")) for each in claimed]
    assert deliver_together(runtime, *reversed(bodies)) == ["applied"] * 20
    found = [job(runtime, batch_id, f"job-{number}") for number in range(20)]
    assert [each.result and each.result.text for each in found] == [f"answer {number}" for number in range(20)]


def test_simultaneous_callbacks_for_one_job_complete_it_once(runtime: Runtime) -> None:
    for _ in range(5):
        batch_id = submit(runtime, "a")
        submitted = take_one(runtime).submission
        bodies = [GOOD, BETTER, BAD, GOOD, b"?", failure("5")]
        side_by_side(*[lambda body=body, to=submitted: deliver(runtime, to, body) for body in bodies])
        found = job(runtime, batch_id)
        assert (found.job.state, attempt_states(found), len(found.callbacks)) == ("completed", ["completed"], 5)
        assert counts(runtime, batch_id) == {"completed": 1}


def _post(client: FlaskClient, submitted: Submission, body: bytes) -> int:
    return client.post(f"/callbacks/hive/{token_of(submitted)}", data=body).status_code


def _until_waiting(runtime: Runtime, number: int) -> None:
    """Return when so many callers wait for the next group."""
    deadline = time.monotonic() + 10
    while len(runtime.callback_commits._queue) < number:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_no_callback_is_answered_before_its_commit_returns(runtime: Runtime) -> None:
    batch_id = submit(runtime, *"abcde")
    claimed, gate = take(runtime), Gate()
    slow = create_app(interposed(runtime, before_commit=gate))
    answers: list[int] = []

    def call(submitted: Submission) -> None:
        answers.append(_post(slow.test_client(), submitted, GOOD))

    threads = [threading.Thread(target=call, args=(each.submission,)) for each in claimed]
    threads[0].start()
    assert gate.reached.wait(10)
    for thread in threads[1:]:
        thread.start()
    _until_waiting(runtime, 4)
    threads[0].join(0.2)
    seen_before_the_commit = (list(answers), states(runtime, batch_id))
    gate.open.set()
    for thread in threads:
        thread.join(20)
    assert seen_before_the_commit == ([], ["submitting"] * 5)
    assert (answers, states(runtime, batch_id)) == ([200] * 5, ["completed"] * 5)


@pytest.mark.parametrize("is_over", [False, True])
def test_a_bad_row_fails_alone_and_not_its_group(runtime: Runtime, *, is_over: bool) -> None:
    """If its job is over, it fails in the group's second transaction, and what is tried alone again is committed."""
    batch_id = submit(runtime, "first", "good", "bad")
    first, good, bad = (each.submission for each in take(runtime))
    if is_over:
        deliver(runtime, bad, failure("9"))
    gate, failed = Gate(), []
    slow = interposed(runtime, before_commit=gate)

    def keep_a_bad_row() -> None:
        subject = runtime.signer.verify(token_of(bad))
        assert subject is not None
        row = replace(read(runtime, subject, PROVIDER, GOOD), body=None)  # type: ignore[arg-type]  # the bad row of this test
        try:
            inbox.keep(slow, row).result()
        except (IntegrityError, psycopg.IntegrityError) as error:
            failed.append(error)

    actions = [lambda: deliver(slow, first, GOOD), lambda: deliver(slow, good, GOOD), keep_a_bad_row]
    threads = [threading.Thread(target=action) for action in actions]
    threads[0].start()
    assert gate.reached.wait(10)
    for thread in threads[1:]:
        thread.start()
    _until_waiting(runtime, 2)
    gate.open.set()
    for thread in threads:
        thread.join(20)
    last = "failed" if is_over else "submitting"
    assert (states(runtime, batch_id), len(failed)) == (["completed", "completed", last], 1)
    assert [row.times for row in inbox_rows(runtime)] == [1] * (3 if is_over else 2)
    with runtime.database.reading() as connection:
        assert figures.drift(connection, batch_id) == {}


def test_a_whole_group_is_told_when_its_commit_fails(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a", "b", "c")
    away = replace(runtime, database=Database("postgresql+psycopg://nobody@127.0.0.1:9/none"))
    claimed = take(runtime)

    def call(submitted: Submission) -> bool:
        try:
            deliver(away, submitted, GOOD)
        except DatabaseUnavailable:
            return False
        return True

    answered = side_by_side(*[lambda each=each: call(each.submission) for each in claimed])
    assert (answered, inbox_rows(runtime)) == ([False] * 3, [])
    assert states(runtime, batch_id) == ["submitting"] * 3


def test_a_callback_whose_commit_went_unnoticed_is_a_duplicate_when_it_comes_again(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    submitted = take_one(runtime).submission
    with pytest.raises(DatabaseUnavailable):
        deliver(interposed(runtime, after={1: database_is_away}), submitted, GOOD)
    deliver(runtime, submitted, GOOD)
    (row,) = inbox_rows(runtime)
    assert (row.times, row.outcome, states(runtime, batch_id)) == (2, "applied", ["completed"])


def test_a_callback_and_the_record_of_its_submit_may_come_at_the_same_moment(runtime: Runtime) -> None:
    for number in range(8):
        batch_id = submit(runtime, "a")
        claimed = take_one(runtime)
        side_by_side(
            lambda to=claimed, n=number: record(runtime, to, Accepted(f"task-{n}", 200)),
            lambda to=claimed, n=number: deliver(runtime, to.submission, success("x", task_id=f"task-{n}")),
        )
        found = job(runtime, batch_id)
        assert (found.job.state, attempt_states(found), outcomes(found)) == ("completed", ["completed"], ["applied"])
        assert found.attempts[0].acked_at is not None
