"""The transition function: which event moves a job from where, what is late, and what always holds."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ids import show
from app.retry import Timing
from app.states import OPEN_ATTEMPT_STATES, Attempt, AttemptState, Case, Job, JobState, Outcome
from app.transitions import (
    Acked,
    AlarmRang,
    Answered,
    AnsweredByHand,
    Cancelled,
    Claimed,
    Event,
    Expired,
    MarkedFailed,
    Matched,
    Moment,
    OutcomeUnknown,
    Refused,
    Rejected,
    Retried,
    Salvaged,
    Step,
    StillRunning,
    TaskFailed,
    transition,
)

START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
TIMING = Timing(
    lease_seconds=15.0,
    callback_timeout_seconds=60.0,
    unknown_grace_seconds=30.0,
    backoff_base_seconds=2.0,
    backoff_max_seconds=100.0,
)
MAX_ATTEMPTS = 3
ATTEMPT_ID = UUID(int=7)


def at(seconds: float) -> Moment:
    return Moment(START + timedelta(seconds=seconds), TIMING)


def new_job(max_attempts: int = MAX_ATTEMPTS) -> Case:
    return Case(Job(uuid4(), uuid4(), "hive_v2", JobState.QUEUED, START, max_attempts=max_attempts), {})


def apply(case: Case, event: Event, seconds: float = 0.0) -> Case:
    """The case after an event that must not be late."""
    step = transition(case, event, at(seconds))
    assert step.outcome is Outcome.APPLIED
    return step.case


def claim(case: Case, seconds: float = 0.0) -> Case:
    return apply(case, Claimed(uuid4(), "hive_v2"), seconds)


def current_id(case: Case) -> UUID:
    assert case.job.current_attempt_id is not None
    return case.job.current_attempt_id


def current(case: Case) -> Attempt:
    return case.attempts[current_id(case)]


def ack(attempt_id: UUID, task_id: str | None = "task-1") -> Acked:
    return Acked(attempt_id, task_id, START, 200)


def failed(attempt_id: UUID, *, is_retryable: bool = True, **told: object) -> TaskFailed:
    return TaskFailed(attempt_id, "5", "MODEL_ERROR", is_retryable, **told)  # type: ignore[arg-type]  # checked there


def refused(attempt_id: UUID) -> Refused:
    return Refused(attempt_id, "rate_limited", "429", START + timedelta(seconds=7), 429)


def unknown(attempt_id: UUID) -> OutcomeUnknown:
    return OutcomeUnknown(attempt_id, "read_timeout", "cut off", START, None)


def rejected(attempt_id: UUID) -> Rejected:
    return Rejected(attempt_id, "invalid_request", "400", START, 400)


# --- the table ---


def waiting() -> Case:
    case = claim(new_job())
    return apply(case, ack(current_id(case)), 1)


def timed_out() -> Case:
    return apply(waiting(), AlarmRang(), 61)


def of_unknown_outcome() -> Case:
    case = claim(new_job())
    return apply(case, unknown(current_id(case)), 1)


def over_by(event: Callable[[UUID], Event]) -> Case:
    case = waiting()
    return apply(case, event(current_id(case)), 2)


STAGES: dict[str, Callable[[], Case]] = {
    "queued": timed_out,
    "submitting": lambda: claim(new_job()),
    "waiting": waiting,
    "unknown": of_unknown_outcome,
    "completed": lambda: over_by(Answered),
    "failed": lambda: over_by(lambda attempt_id: failed(attempt_id, is_retryable=False)),
    "cancelled": lambda: over_by(lambda _: Cancelled()),
}

EVENTS: dict[str, Callable[[UUID], Event]] = {
    "claimed": lambda _: Claimed(uuid4(), "hive_v2"),
    "acked": ack,
    "outcome unknown": unknown,
    "refused": refused,
    "rejected": rejected,
    "answered": Answered,
    "task failed, retryable": failed,
    "task failed for good": lambda attempt_id: failed(attempt_id, is_retryable=False),
    "still running": StillRunning,
    "alarm rang": lambda _: AlarmRang(),
    "cancelled": lambda _: Cancelled(),
    "expired": lambda _: Expired(),
    "retried": lambda _: Retried(2),
    "salvaged": Salvaged,
    "matched by hand": Matched,
    "answered by hand": lambda _: AnsweredByHand(),
    "marked failed": lambda _: MarkedFailed("it hangs"),
}

# event: stage: job state and state of the attempt that was current. What isn't named is late.
MOVES: dict[str, dict[str, str]] = {
    "claimed": {"queued": "submitting timed_out"},
    "acked": {"submitting": "waiting waiting", "unknown": "waiting waiting"},
    "outcome unknown": {"submitting": "waiting unknown"},
    "refused": {"submitting": "queued refused", "unknown": "queued refused"},
    "rejected": {"submitting": "failed failed", "unknown": "failed failed"},
    "answered": {
        "queued": "completed completed",
        "submitting": "completed completed",
        "waiting": "completed completed",
        "unknown": "completed completed",
        "failed": "completed completed",
    },
    "task failed, retryable": {
        "submitting": "queued failed",
        "waiting": "queued failed",
        "unknown": "queued failed",
    },
    "task failed for good": {
        "submitting": "failed failed",
        "waiting": "failed failed",
        "unknown": "failed failed",
    },
    "still running": {"waiting": "waiting waiting"},
    "alarm rang": {
        "submitting": "waiting unknown",
        "waiting": "queued timed_out",
        "unknown": "queued timed_out",
    },
    "cancelled": {
        "queued": "cancelled timed_out",
        "submitting": "cancelled cancelled",
        "waiting": "cancelled cancelled",
        "unknown": "cancelled cancelled",
    },
    "expired": {
        "queued": "failed timed_out",
        "submitting": "failed timed_out",
        "waiting": "failed timed_out",
        "unknown": "failed timed_out",
    },
    "retried": {"failed": "queued failed", "cancelled": "queued cancelled"},
    "salvaged": {"failed": "completed completed", "cancelled": "completed completed"},
    "matched by hand": {
        "queued": "completed completed",
        "submitting": "completed completed",
        "waiting": "completed completed",
        "unknown": "completed completed",
        "failed": "completed completed",
        "cancelled": "completed completed",
    },
    "answered by hand": {
        "queued": "completed timed_out",
        "submitting": "completed superseded",
        "waiting": "completed superseded",
        "unknown": "completed superseded",
        "failed": "completed failed",
        "cancelled": "completed cancelled",
    },
    "marked failed": {
        "queued": "failed timed_out",
        "submitting": "failed cancelled",
        "waiting": "failed cancelled",
        "unknown": "failed cancelled",
    },
}
EACH = [pytest.param(event, stage, id=f"{event}-{stage}") for event in EVENTS for stage in STAGES]
TELLING = {"acked", "outcome unknown", "rejected"}  # late or not, they leave what they say of their own attempt


def happened(event: str, stage: str) -> tuple[Case, Step]:
    before = STAGES[stage]()
    moment = Moment(before.job.due_at or at(100).now, TIMING)
    return before, transition(before, EVENTS[event](current_id(before)), moment)


@pytest.mark.parametrize(("event", "stage"), EACH)
def test_every_event_moves_every_state_as_the_table_says(event: str, stage: str) -> None:
    before, step = happened(event, stage)
    named = MOVES[event].get(stage)
    assert step.outcome is (Outcome.APPLIED if named else Outcome.LATE)
    of_before = step.case.attempts[current_id(before)]
    assert f"{step.case.job.state} {of_before.state}" == (named or f"{before.job.state} {current(before).state}")


@pytest.mark.parametrize(("event", "stage"), EACH)
def test_a_late_event_leaves_the_job_as_it_was(event: str, stage: str) -> None:
    before, step = happened(event, stage)
    if step.outcome is Outcome.LATE:
        assert step.case.job == before.job
        assert step.case == before or event in TELLING
    else:
        assert step.case != before


def test_the_table_names_every_event() -> None:
    made = {type(make(uuid4())) for make in EVENTS.values()}
    assert made == set(Event.__args__)
    assert set(MOVES) == set(EVENTS)


# --- b: claim ---


def test_a_claim_opens_the_next_attempt_under_a_lease() -> None:
    attempt_id = uuid4()
    case = apply(new_job(), Claimed(attempt_id, "hive_v2"), 5)
    assert case.job.due_at == at(5 + 15).now
    assert (case.job.attempts, case.job.last_number, case.job.current_attempt_id) == (1, 1, attempt_id)
    assert case.attempts == {
        attempt_id: Attempt(attempt_id, 1, "hive_v2", AttemptState.SUBMITTING, created_at=at(5).now)
    }


def test_a_second_claim_gets_the_next_number() -> None:
    case = claim(timed_out(), 200)
    assert [attempt.number for attempt in case.attempts.values()] == [1, 2]
    assert case.job.attempts == 2


# --- c: ack ---


def test_an_ack_sets_the_deadline_and_keeps_the_task_id() -> None:
    case = claim(new_job())
    case = apply(case, Acked(current_id(case), "task-9", at(1).now, 202), 2)
    assert case.job.due_at == at(2 + 60).now
    attempt = current(case)
    assert (attempt.provider_task_id, attempt.sent_at, attempt.acked_at) == ("task-9", at(1).now, at(2).now)
    assert attempt.http_status == 202


def test_an_ack_after_the_lease_ran_out_is_applied_and_clears_the_error() -> None:
    case = apply(claim(new_job()), AlarmRang(), 15)
    case = apply(case, ack(current_id(case)), 16)
    assert current(case).state is AttemptState.WAITING
    assert current(case).error_code is None
    assert case.job.due_at == at(16 + 60).now


def test_an_ack_that_a_callback_overtook_only_tells_its_attempt() -> None:
    case = claim(new_job())
    case = apply(case, Answered(current_id(case), ("task-1",)), 1)
    step = transition(case, ack(current_id(case), "task-1"), at(2))
    assert step.outcome is Outcome.LATE
    assert step.case.job == case.job
    assert current(step.case).acked_at == at(2).now
    assert current(step.case).state is AttemptState.COMPLETED


def test_an_ack_does_not_rename_a_task_that_a_callback_named() -> None:
    case = claim(new_job())
    case = apply(case, Answered(current_id(case), ("task-1",)), 1)
    step = transition(case, ack(current_id(case), "task-2"), at(2))
    assert current(step.case).provider_task_id == "task-1"


def test_an_ack_of_an_earlier_attempt_moves_nothing() -> None:
    earlier = timed_out()
    case = claim(earlier, 200)
    step = transition(case, ack(current_id(earlier)), at(201))
    assert step.outcome is Outcome.LATE
    assert step.case.job == case.job


FENCED = ["acked", "outcome unknown", "refused", "rejected", "task failed, retryable", "still running"]


@pytest.mark.parametrize("event", FENCED)
@pytest.mark.parametrize("state", OPEN_ATTEMPT_STATES)
def test_an_attempt_that_is_not_the_current_one_never_moves_the_job_even_if_it_were_open(
    event: str, state: AttemptState
) -> None:
    earlier = timed_out()
    case = claim(earlier, 200).with_attempt(current_id(earlier), state=state)
    step = transition(case, EVENTS[event](current_id(earlier)), at(201))
    assert step.outcome is Outcome.LATE
    assert step.case.job == case.job
    assert current(step.case) == current(case)


# --- d: unknown outcome, lease ---


def test_an_unknown_outcome_waits_its_grace_before_anything_is_sent_again() -> None:
    case = claim(new_job())
    case = apply(case, unknown(current_id(case)), 3)
    assert case.job.state is JobState.WAITING
    assert case.job.due_at == at(3 + 30).now
    assert case.job.attempts == 1
    assert current(case).error_code == "read_timeout"


def test_an_expired_lease_becomes_an_unknown_outcome_and_makes_the_job_suspect() -> None:
    case = apply(claim(new_job()), AlarmRang(), 15)
    assert case.job.state is JobState.WAITING
    assert case.job.due_at == at(15 + 30).now
    assert case.job.suspect
    assert (current(case).state, current(case).error_code) == (AttemptState.UNKNOWN, "lease_expired")
    assert current(case).sent_at is None


def test_the_alarm_does_nothing_before_it_is_due() -> None:
    case = claim(new_job())
    assert transition(case, AlarmRang(), at(14.999)) == Step(case, Outcome.LATE)


def test_the_alarm_of_a_job_that_was_never_claimed_does_nothing() -> None:
    case = new_job()
    assert transition(case, AlarmRang(), at(1000)) == Step(case, Outcome.LATE)


def test_a_crash_counts_so_that_a_job_that_kills_its_workers_runs_out() -> None:
    case, seconds = new_job(), 0.0
    for _ in range(MAX_ATTEMPTS):
        seconds += 1000
        case = claim(case, seconds)
        case = apply(case, AlarmRang(), seconds + 15)
        case = apply(case, AlarmRang(), seconds + 15 + 30)
    assert case.job.state is JobState.FAILED
    assert case.job.attempts == MAX_ATTEMPTS
    assert not case.job.suspect


def test_a_job_whose_worker_came_back_with_an_ack_is_no_longer_suspect() -> None:
    case = apply(claim(new_job()), AlarmRang(), 15)
    case = apply(case, ack(current_id(case)), 16)
    assert not case.job.suspect


# --- e and g: deadline, failure ---


def test_an_overdue_callback_queues_the_job_after_its_backoff() -> None:
    case = timed_out()
    assert case.job.due_at == TIMING.backoff_until(at(61).now, 1, current_id(case))
    assert (case.job.error_code, current(case).error_code) == ("timed_out", "timed_out")
    assert current(case).finished_at == at(61).now


def learned(seconds: float, at_seconds: float) -> Moment:
    """A moment at which this time-out is known of the provider."""
    return replace(at(at_seconds), learned={"hive_v2": seconds})


def test_an_accepted_task_gets_the_time_out_that_was_learned_of_its_provider() -> None:
    case = claim(new_job())
    event = ack(current_id(case))
    assert transition(case, event, learned(7, 1)).case.job.due_at == at(8).now
    assert transition(case, event, replace(at(1), learned={"other": 7.0})).case.job.due_at == at(61).now


def test_what_was_learned_of_a_provider_stands_above_its_own_time_out_and_that_above_the_common_one() -> None:
    case = claim(new_job())
    event, own = ack(current_id(case)), {"hive_v2": replace(TIMING, callback_timeout_seconds=20)}
    assert transition(case, event, replace(at(1), timings=own)).case.job.due_at == at(21).now
    assert transition(case, event, replace(learned(7, 1), timings=own)).case.job.due_at == at(8).now
    assert transition(case, event, replace(at(1), timings={"other": own["hive_v2"]})).case.job.due_at == at(61).now


def test_a_task_that_still_runs_gets_the_learned_time_out_once_more() -> None:
    case = waiting()
    assert transition(case, StillRunning(current_id(case)), learned(7, 61)).case.job.due_at == at(68).now


def test_an_alarm_that_rings_when_tasks_are_given_more_time_than_before_is_put_off() -> None:
    step = transition(waiting(), AlarmRang(), learned(90, 61))
    assert (step.outcome, step.case) == (Outcome.APPLIED, waiting_until(step.case, 91))
    assert transition(step.case, AlarmRang(), learned(90, 91)).case.job.state is JobState.QUEUED


def waiting_until(case: Case, seconds: float) -> Case:
    return case.with_job(state=JobState.WAITING, due_at=at(seconds).now)


def test_an_alarm_is_not_moved_by_a_shorter_time_out_and_not_for_an_unknown_outcome() -> None:
    assert transition(waiting(), AlarmRang(), learned(7, 30)).outcome is Outcome.LATE
    assert transition(of_unknown_outcome(), AlarmRang(), learned(90, 31)).case.job.state is JobState.QUEUED


def test_the_last_attempt_that_times_out_fails_the_job() -> None:
    case = claim(new_job(max_attempts=1))
    case = apply(case, ack(current_id(case)), 0)
    case = apply(case, AlarmRang(), 60)
    assert (case.job.state, case.job.error_code) == (JobState.FAILED, "timed_out")
    assert (case.job.due_at, case.job.finished_at) == (None, at(60).now)


def test_an_unknown_attempt_that_times_out_keeps_why_it_was_unknown() -> None:
    case = apply(of_unknown_outcome(), AlarmRang(), 31)
    assert current(case).error_code == "read_timeout"
    assert case.job.error_code == "timed_out"


def test_the_wait_grows_with_each_attempt() -> None:
    case, seconds, waits = new_job(max_attempts=9), 0.0, []
    for _ in range(4):
        case = claim(case, seconds)
        case = apply(case, failed(current_id(case)), seconds)
        assert case.job.due_at is not None
        waits.append((case.job.due_at - at(seconds).now).total_seconds())
        seconds += 1000
    for number, wait in enumerate(waits):
        assert 2**number <= wait <= 2 ** (number + 1)


def test_a_failure_of_an_earlier_attempt_is_kept_with_it_and_changes_nothing() -> None:
    earlier = timed_out()
    case = claim(earlier, 200)
    step = transition(case, failed(current_id(earlier), is_retryable=False, cost_nano=7), at(201))
    assert step.outcome is Outcome.LATE
    assert step.case.job == case.job
    assert step.case.attempts[current_id(earlier)].cost_nano == 7
    assert step.case.attempts[current_id(earlier)].state is AttemptState.TIMED_OUT


def test_a_failed_task_fails_the_job_when_attempts_are_used_up() -> None:
    case = claim(new_job(max_attempts=1))
    case = apply(case, failed(current_id(case)), 1)
    assert (case.job.state, case.job.error_code, case.job.error_message) == (JobState.FAILED, "5", "MODEL_ERROR")


# --- f: answers ---


def test_an_answer_of_an_earlier_attempt_wins_and_supersedes_the_open_one() -> None:
    earlier = timed_out()
    case = claim(earlier, 200)
    done = apply(case, Answered(current_id(earlier), cost_nano=5), 201)
    assert done.job.state is JobState.COMPLETED
    assert done.attempts[current_id(earlier)].state is AttemptState.COMPLETED
    assert done.attempts[current_id(earlier)].error_code is None
    assert done.attempts[current_id(earlier)].cost_nano == 5
    sibling = done.attempts[current_id(case)]
    assert (sibling.state, sibling.finished_at) == (AttemptState.SUPERSEDED, at(201).now)


def test_an_answer_stops_the_queued_retry() -> None:
    case = timed_out()
    done = apply(case, Answered(current_id(case)), 62)
    assert (done.job.state, done.job.due_at, done.job.error_code) == (JobState.COMPLETED, None, None)


def test_a_second_answer_is_late_and_only_its_cost_is_kept() -> None:
    earlier = timed_out()
    case = claim(earlier, 200)
    done = apply(case, Answered(current_id(earlier)), 201)
    step = transition(done, Answered(current_id(case), cost_nano=9), at(202))
    assert step.outcome is Outcome.LATE
    assert step.case.job == done.job
    second = step.case.attempts[current_id(case)]
    assert (second.state, second.cost_nano) == (AttemptState.SUPERSEDED, 9)


def test_an_answer_for_a_cancelled_job_is_late_and_can_be_salvaged_by_a_retry() -> None:
    case = STAGES["cancelled"]()
    step = transition(case, Answered(current_id(case), cost_nano=3), at(70))
    assert step.outcome is Outcome.LATE
    assert step.case.job == case.job
    done = apply(step.case, Salvaged(current_id(case), cost_nano=3), 80)
    assert (done.job.state, current(done).state) == (JobState.COMPLETED, AttemptState.COMPLETED)


def test_an_answer_without_a_cost_does_not_wipe_a_known_one() -> None:
    case = timed_out()
    case = transition(case, failed(current_id(case), cost_nano=4), at(62)).case
    done = apply(case, Answered(current_id(case)), 63)
    assert current(done).cost_nano == 4


@pytest.mark.parametrize("result", [Answered, Salvaged], ids=["answer", "salvage"])
def test_a_refused_attempt_that_is_answered_after_all_counts(result: Callable[[UUID], Event]) -> None:
    case = claim(new_job())
    case = apply(case, refused(current_id(case)), 1)
    case = apply(case, Expired(), 2)
    done = apply(case, result(current_id(case)), 3)
    assert current(done).state is AttemptState.COMPLETED
    assert done.job.attempts == 1


# --- conflicts ---


RESULTS: dict[str, Callable[..., Event]] = {"answer": Answered, "failure": failed}


@pytest.mark.parametrize("result", RESULTS)
def test_a_body_that_names_another_task_is_a_conflict_and_changes_nothing(result: str) -> None:
    case = waiting()
    event = RESULTS[result](current_id(case), task_ids=("task-of-another",), cost_nano=1)
    assert transition(case, event, at(5)) == Step(case, Outcome.CONFLICT)


@pytest.mark.parametrize("result", RESULTS)
def test_a_body_that_names_another_job_is_a_conflict_and_changes_nothing(result: str) -> None:
    case = waiting()
    event = RESULTS[result](current_id(case), metadata=show("job", uuid4()))
    assert transition(case, event, at(5)) == Step(case, Outcome.CONFLICT)


@pytest.mark.parametrize("result", RESULTS)
def test_a_body_that_agrees_or_says_nothing_is_applied(result: str) -> None:
    case = waiting()
    agreeing = RESULTS[result](current_id(case), task_ids=("task-1",), metadata=show("job", case.job.id))
    assert transition(case, agreeing, at(5)).outcome is Outcome.APPLIED
    assert transition(case, RESULTS[result](current_id(case)), at(5)).outcome is Outcome.APPLIED


def test_a_task_id_that_comes_before_the_ack_is_kept() -> None:
    case = claim(new_job())
    case = apply(case, failed(current_id(case), task_ids=("task-7",)), 1)
    assert current(case).provider_task_id == "task-7"


# --- asked and still running ---


def test_a_task_that_still_runs_gets_one_more_time_out_and_no_third() -> None:
    case = waiting()  # acked at 1
    case = apply(case, StillRunning(current_id(case)), 61)
    assert case.job.due_at == at(61 + 60).now
    step = transition(case, StillRunning(current_id(case)), at(121))
    assert step == Step(case, Outcome.LATE)
    assert apply(case, AlarmRang(), 121).job.state is JobState.QUEUED


@settings(deadline=None)
@given(st.lists(st.floats(60, 10_000), min_size=2, max_size=10))
def test_only_the_first_news_that_it_still_runs_gives_more_time_however_late_it_is_asked(pauses: list[float]) -> None:
    seconds = 1 + pauses[0]
    case = waiting()
    case = apply(case, StillRunning(current_id(case)), seconds)
    assert case.job.due_at == at(seconds + 60).now
    for pause in pauses[1:]:
        seconds += pause
        assert transition(case, StillRunning(current_id(case)), at(seconds)) == Step(case, Outcome.LATE)


# --- h, i, j, k ---


def test_cancelling_closes_the_open_attempt_and_gives_no_reason() -> None:
    case = apply(waiting(), Cancelled(), 5)
    assert (case.job.state, case.job.error_code, case.job.due_at) == (JobState.CANCELLED, None, None)
    assert (current(case).state, current(case).finished_at) == (AttemptState.CANCELLED, at(5).now)


def test_expiry_fails_a_job_with_its_own_reason() -> None:
    case = apply(new_job(), Expired(), 5)
    assert (case.job.state, case.job.error_code, case.job.finished_at) == (
        JobState.FAILED,
        "batch_expired",
        at(5).now,
    )


def test_a_retry_gives_more_attempts_on_top_of_those_that_were_made() -> None:
    case = apply(STAGES["failed"](), Retried(MAX_ATTEMPTS), 50)
    assert (case.job.state, case.job.due_at, case.job.finished_at) == (JobState.QUEUED, at(50).now, None)
    assert (case.job.attempts, case.job.max_attempts) == (1, 1 + MAX_ATTEMPTS)
    assert (case.job.error_code, case.job.error_message) == (None, None)
    assert current(claim(case, 51)).number == 2


def test_a_refused_submit_keeps_its_number_and_does_not_count() -> None:
    case = claim(new_job())
    case = apply(case, refused(current_id(case)), 1)
    assert (case.job.attempts, case.job.last_number) == (0, 1)
    assert case.job.due_at == at(7).now
    attempt = current(case)
    assert (attempt.state, attempt.http_status, attempt.error_code) == (AttemptState.REFUSED, 429, "rate_limited")
    again = claim(case, 8)
    assert (again.job.attempts, current(again).number) == (1, 2)


SURVIVED: dict[str, tuple[Event, bool]] = {
    "an ack": (ack(ATTEMPT_ID), True),
    "an unknown outcome": (unknown(ATTEMPT_ID), True),
    "a refusal": (refused(ATTEMPT_ID), True),
    "a rejection": (rejected(ATTEMPT_ID), True),
    "an answer": (Answered(ATTEMPT_ID), True),
    "a job handed back unsent": (Refused(ATTEMPT_ID, "handed_back", "unsent", START, was_tried=False), False),
    "another expired lease": (AlarmRang(), False),
}


@pytest.mark.parametrize("told", SURVIVED)
def test_only_a_worker_that_lived_to_tell_clears_the_suspicion(told: str) -> None:
    case = apply(claim(new_job()), AlarmRang(), 15)
    case = apply(case, AlarmRang(), 45)
    assert case.job.suspect
    case = apply(case, Claimed(ATTEMPT_ID, "hive_v2"), 100)
    assert case.job.suspect
    event, is_cleared = SURVIVED[told]
    assert apply(case, event, 115).job.suspect is not is_cleared


def test_a_rejected_job_fails_at_once_whatever_attempts_are_left() -> None:
    case = claim(new_job())
    case = apply(case, rejected(current_id(case)), 1)
    assert (case.job.state, case.job.error_code) == (JobState.FAILED, "invalid_request")
    assert (current(case).http_status, current(case).sent_at) == (400, START)


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_is_changed_in_place(stage: str) -> None:
    case = STAGES[stage]()
    job, attempts = case.job, dict(case.attempts)
    for event in EVENTS.values():
        transition(case, event(current_id(case)), at(500))
    assert (case.job, dict(case.attempts)) == (job, attempts)


# --- m: by hand ---


def test_an_answer_that_comes_after_one_that_was_written_is_late_and_still_tells_what_it_cost() -> None:
    case = apply(waiting(), AnsweredByHand(), 5)
    step = transition(case, Answered(current_id(case), ("task-1",), cost_nano=7), at(6))
    assert (step.outcome, step.case.job) == (Outcome.LATE, case.job)
    assert (current(step.case).state, current(step.case).cost_nano) == (AttemptState.SUPERSEDED, 7)


def test_a_job_that_was_never_submitted_is_answered_by_hand_without_an_attempt() -> None:
    case = apply(new_job(), AnsweredByHand(), 5)
    assert (case.job.state, case.job.attempts, case.attempts) == (JobState.COMPLETED, 0, {})
    assert transition(case, Claimed(uuid4(), "hive_v2"), at(6)).outcome is Outcome.LATE


def test_a_job_that_is_marked_failed_says_why_and_takes_an_answer_that_comes_yet() -> None:
    case = apply(waiting(), MarkedFailed("it hangs"), 5)
    assert (case.job.error_code, case.job.error_message) == ("marked_failed", "it hangs")
    assert apply(case, Answered(current_id(case)), 6).job.state is JobState.COMPLETED


# --- what always holds ---

OF_A_JOB = {"claimed", "alarm rang", "cancelled", "expired", "retried", "answered by hand", "marked failed"}
FOR_AN_ATTEMPT = [name for name in EVENTS if name not in OF_A_JOB]
HISTORY = st.lists(
    st.tuples(st.sampled_from(list(EVENTS)), st.integers(0, 9), st.floats(0, 70), st.sampled_from([None, "task-1"])),
    max_size=40,
)


def told(name: str, attempt_id: UUID, task_id: str | None) -> Event:
    if name == "acked":
        return ack(attempt_id, task_id)
    if name == "answered":
        return Answered(attempt_id, (task_id,) if task_id else ())
    return EVENTS[name](attempt_id)


@settings(deadline=None)
@given(HISTORY)
def test_whatever_happens_in_whatever_order_the_rules_hold(
    history: list[tuple[str, int, float, str | None]],
) -> None:
    case, seconds = new_job(), 0.0
    for name, which, pause, task_id in history:
        seconds += pause
        known = list(case.attempts.values())
        if name in FOR_AN_ATTEMPT and not known:
            continue
        attempt_id = known[which % len(known)].id if known else uuid4()
        step = transition(case, told(name, attempt_id, task_id), at(seconds))
        assert_rules(case, step.case, winners=int(name != "answered by hand"))
        case = step.case


def assert_rules(before: Case, after: Case, *, winners: int) -> None:
    job, attempts = after.job, list(after.attempts.values())
    open_attempts = [attempt for attempt in attempts if attempt.is_open]
    assert len(open_attempts) <= 1
    assert job.is_open == (job.due_at is not None) == (job.finished_at is None)
    assert bool(open_attempts) == (job.state in (JobState.SUBMITTING, JobState.WAITING))
    assert all(attempt.id == job.current_attempt_id for attempt in open_attempts)
    assert [attempt.number for attempt in attempts] == list(range(1, job.last_number + 1))
    assert job.attempts == sum(attempt.state is not AttemptState.REFUSED for attempt in attempts)
    assert all(attempt.is_open == (attempt.finished_at is None) for attempt in attempts)
    completed = [attempt for attempt in attempts if attempt.state is AttemptState.COMPLETED]
    if job.state is not JobState.COMPLETED:
        assert not completed
    elif before.job.state is not JobState.COMPLETED:
        assert len(completed) == winners
    assert job.attempts <= job.max_attempts or job.state is JobState.COMPLETED
    if before.job.state is JobState.COMPLETED:
        assert job == before.job
        assert {each.id: each.state for each in attempts} == {each.id: each.state for each in before.attempts.values()}


def test_a_body_that_gives_its_task_two_ids_is_a_conflict() -> None:
    case = claim(new_job())
    step = transition(case, Answered(current_id(case), ("task-1", "task-2")), at(1))
    assert (step.outcome, step.case) == (Outcome.CONFLICT, case)
