"""Claims: what is committed before the provider hears of a job, and what must not be claimed."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
from sqlalchemy import event

from app import ids
from app.clock import now
from app.config import Settings
from app.providers.base import Accepted, Submission, SubmitOutcome
from app.runtime import Runtime
from app.services import batches
from app.services.submission import MOST_AHEAD
from app.services.views import JobDetail
from app.store import batches as batch_rows
from app.store import holds
from tests.conftest import MakeRuntime, make_settings
from tests.factories import (
    attempt_states,
    drain,
    interposed,
    job,
    side_by_side,
    states,
    submit,
    take,
    take_one,
    token_of,
    with_settings,
)
from tests.fakes import FakeProvider


def test_the_attempt_and_its_alarm_are_committed_before_the_provider_hears_of_it(
    runtime: Runtime, provider: FakeProvider, clock: FrozenDateTimeFactory
) -> None:
    batch_id = submit(runtime, "a")
    seen: list[JobDetail] = []

    def look(_: Submission) -> SubmitOutcome:
        seen.append(job(runtime, batch_id))
        return Accepted("task-1", 200)

    provider.script.append(look)
    drain(runtime)
    (before_the_ack,) = seen
    assert (before_the_ack.job.state, before_the_ack.job.attempts) == ("submitting", 1)
    assert before_the_ack.job.due_at == now() + timedelta(seconds=15)
    assert attempt_states(before_the_ack) == ["submitting"]


def test_the_callback_url_speaks_of_this_attempt_and_the_metadata_of_this_job(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    claimed = take_one(runtime)
    subject = runtime.signer.verify(token_of(claimed.submission))
    found = job(runtime, batch_id)
    assert subject is not None
    assert (subject.batch_id, subject.attempt_id) == (batch_id, found.attempts[0].id)
    assert claimed.submission.callback_url.startswith("http://127.0.0.1:8000/callbacks/hive/")
    assert claimed.submission.metadata == ids.show("job", found.job.id)


def test_a_job_is_claimed_once(runtime: Runtime) -> None:
    submit(runtime, "a", "b")
    assert [len(take(runtime)), len(take(runtime))] == [2, 0]


def test_jobs_go_in_the_order_in_which_they_came(runtime: Runtime, provider: FakeProvider) -> None:
    submit(runtime, "a", "b", "c")
    submit(runtime, "d")
    taken = [claimed.submission.text_data for _ in range(4) for claimed in take(runtime, 1)]
    assert taken == ["a", "b", "c", "d"]


def test_the_mark_of_a_cancel_stops_claims_before_its_jobs_are_ended(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    with runtime.database.transaction() as connection:
        batch_rows.change(connection, batch_id, cancel_requested_at=now())
    assert not take(runtime)
    assert states(runtime, batch_id) == ["queued"]


def test_a_batch_that_ran_out_of_time_is_not_claimed(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    batch_id = submit(runtime, "a", expires_in_seconds=30)
    clock.tick(30)
    assert not take(runtime)
    assert states(runtime, batch_id) == ["queued"]


def test_a_held_batch_lets_other_batches_pass(runtime: Runtime) -> None:
    held_id, free_id = submit(runtime, "held"), submit(runtime, "free")
    row = {"scope": "batch", "scope_id": ids.show("batch", held_id), "reason": "paused", "message": "", "since": now()}
    with runtime.database.transaction() as connection:
        holds.place(connection, row | {"until": None, "placed_by": "tests"})
    assert [claimed.submission.text_data for claimed in take(runtime)] == ["free"]
    assert (states(runtime, held_id), states(runtime, free_id)) == (["queued"], ["submitting"])


def test_nothing_is_submitted_to_a_provider_elsewhere_that_could_not_call_back(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    elsewhere = Settings(**(make_settings().model_dump() | {"hive_url": "https://api.thehive.ai"}))
    assert not take(with_settings(runtime, elsewhere))
    assert states(runtime, batch_id) == ["queued"]


def test_a_process_that_ends_claims_nothing(runtime: Runtime, provider: FakeProvider) -> None:
    batch_id = submit(runtime, "a")
    runtime.stopping.set()
    drain(runtime)
    assert (states(runtime, batch_id), provider.submissions) == (["queued"], [])


def test_what_a_process_that_ends_has_not_sent_is_handed_back_and_counts_no_attempt(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(rate_per_second=2.0)
    provider = runtime.providers["hive_v2"]
    assert isinstance(provider, FakeProvider)

    def stop(_: Submission) -> SubmitOutcome:
        runtime.stopping.set()  # the second job waits for its slot, half a second from now
        return Accepted("task-1", 200)

    provider.script.append(stop)
    batch_id = submit(runtime, "a", "b")
    drain(runtime)
    handed_back = job(runtime, batch_id, "job-1")
    assert states(runtime, batch_id) == ["waiting", "queued"]
    assert (handed_back.job.attempts, attempt_states(handed_back)) == (0, ["refused"])
    assert (handed_back.attempts[0].error_code, handed_back.attempts[0].sent_at) == ("handed_back", None)
    assert len(provider.submissions) == 1


def test_a_claim_whose_lease_is_too_short_for_a_submit_is_handed_back_and_claimed_anew(
    make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    runtime = make_runtime(rate_per_second=2.0)
    provider = runtime.providers["hive_v2"]
    assert isinstance(provider, FakeProvider)

    def dawdle(_: Submission) -> SubmitOutcome:
        clock.tick(6)  # of a lease of 15 s, with a submit time-out of 10 s
        return Accepted("task-1", 200)

    provider.script.append(dawdle)
    batch_id = submit(runtime, "a", "b")
    drain(runtime)
    second = job(runtime, batch_id, "job-1")
    assert attempt_states(second) == ["refused", "waiting"]
    assert [attempt.number for attempt in second.attempts] == [1, 2]
    assert (second.attempts[0].error_code, second.job.attempts) == ("handed_back", 1)
    assert len(provider.submissions) == 2


def test_two_workers_never_claim_the_same_job(runtime: Runtime, make_runtime: MakeRuntime) -> None:
    batch_id = submit(runtime, *"abcdefghij")
    other = make_runtime()
    taken = side_by_side(*[lambda each=each: take(each, 4) for each in (runtime, other, runtime, other)])
    texts = [claimed.submission.text_data for claims in taken for claimed in claims]
    assert sorted(texts) == list("abcdefghij")
    assert states(runtime, batch_id) == ["submitting"] * 10


def test_a_cancel_that_comes_just_before_the_claim_is_seen_by_it(runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    late_cancel = interposed(runtime, before={1: lambda: batches.cancel(runtime, None, batch_id)})
    assert not take(late_cancel)
    assert states(runtime, batch_id) == ["cancelled"]


def statements_of_a_claim(runtime: Runtime) -> list[str]:
    """What a claim asks of the database in words of SQL; what the driver writes in bulk is not among them."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(runtime.database.engine, "before_cursor_execute", note)
    take(runtime, 20)
    event.remove(runtime.database.engine, "before_cursor_execute", note)
    return [statement for statement in asked if statement.startswith(("SELECT", "UPDATE limits"))]


def test_a_claim_asks_three_things_however_many_jobs_it_takes(runtime: Runtime) -> None:
    submit(runtime, "the first makes the row that all of them lock")
    take(runtime, 20)
    assert len(statements_of_a_claim(runtime)) == 3
    submit(runtime, *"abcdefghij")
    assert len(statements_of_a_claim(runtime)) == 3


def test_a_claim_may_be_as_large_as_a_drain_ever_asks_for(runtime: Runtime) -> None:
    eager = with_settings(runtime, make_settings(max_in_flight=MOST_AHEAD))
    submit(eager, *["x"] * MOST_AHEAD)
    assert len(take(eager, MOST_AHEAD)) == MOST_AHEAD
