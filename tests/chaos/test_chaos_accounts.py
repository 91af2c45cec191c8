"""The accounts of a run find what is planted in them, and nothing in good books."""

from datetime import timedelta
from uuid import UUID

import pytest

from tests.chaos.accounts import Line, Patience, doubled, forgotten, lost, payments
from tests.chaos.planted import BATCH, Planted, attempt, job, sale

PATIENCE = Patience(lease=timedelta(seconds=4), callback=timedelta(seconds=6), grace=timedelta(seconds=3))
BATCH_ID = f"batch_{BATCH.hex}"
PROMISED = {(BATCH_ID, "job/0"): "an answer"}
GIVEN = Line(BATCH_ID, "job/0", "completed", "an answer")


def good() -> Planted:
    """One job, sold once, answered once."""
    planted = Planted()
    planted.put(job(), [attempt(1, "completed", 0, 1, acked=0.5)], answered=1)
    return planted


def sold_twice(first: object, answered: float = 20, outcome: str = "applied", again: float = 10) -> Planted:
    """A job whose second attempt was claimed `again` seconds after the start."""
    planted = Planted()
    second = attempt(2, "completed", again, answered, acked=again + 0.5)
    planted.put(job(), [first, second], sold=2, answered=answered, outcome=outcome)
    return planted


def test_good_books_raise_no_complaint() -> None:
    books = good().books()
    found = payments(books, PATIENCE)
    assert lost(PROMISED, [GIVEN]) == []
    assert doubled(PROMISED, [GIVEN], books) == []
    assert forgotten(books) == []
    assert (found.paid_twice, found.unexplained) == (0, [])


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [Line(BATCH_ID, "job/0", "completed", "another answer")],
        [Line(BATCH_ID, "job/0", "failed", None)],
        [Line("batch_2", "job/0", "completed", "an answer")],
    ],
)
def test_a_promise_that_was_not_kept_is_a_lost_job(lines: list[Line]) -> None:
    assert len(lost(PROMISED, lines)) == 1


def test_a_result_that_comes_twice_is_doubled() -> None:
    assert doubled(PROMISED, [GIVEN, GIVEN], good().books()) == [f"job/0 of {BATCH_ID} has 2 results"]


def test_a_batch_that_nobody_was_told_of_is_doubled() -> None:
    planted = good()
    planted.put(job(batch=UUID(int=2)), [])
    (found,) = doubled(PROMISED, [GIVEN], planted.books())
    assert found.endswith("is stored, and nobody was told")


def test_a_job_with_two_answers_is_doubled() -> None:
    planted = Planted()
    shown = planted.put(job(), [attempt(1, "completed", 0, 1), attempt(2, "completed", 10, 11)], answered=1)
    assert doubled(PROMISED, [GIVEN], planted.books()) == [f"{shown} has 2 answers"]


def test_a_callback_that_was_answered_200_and_is_not_there_is_forgotten() -> None:
    planted = good()
    shown = planted.books().sales[0].job
    planted.sell(sale(shown, 503, None))
    assert forgotten(planted.books()) == []
    planted.sell(sale(shown, 200))
    assert forgotten(planted.books()) == [f"{shown}: 2 callbacks were answered 200, 1 are kept"]


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (attempt(1, "timed_out", 0, 7.5, error_code="lease_expired"), "unknown outcome"),
        (attempt(1, "timed_out", 0, 3.5, error_code="connection_lost"), "unknown outcome"),
        (attempt(1, "timed_out", 0, 7.5, acked=11, error_code="lease_expired"), "unknown outcome"),
        (attempt(1, "timed_out", 0, 9.5, acked=0.5, error_code="timed_out"), "no such task"),
        (attempt(1, "timed_out", 0, 13, acked=0.5, error_code="timed_out", asked=True), "asked twice in vain"),
        (attempt(1, "failed", 0, 1, acked=0.5, error_code="5"), "failed task"),
        (attempt(1, "completed", 0, 20, acked=0.5), "late callback"),
    ],
)
def test_who_was_waited_for_as_promised_may_be_paid_twice(first: object, reason: str) -> None:
    planted = sold_twice(first, again=15)
    if reason == "late callback":
        planted = Planted()
        planted.put(job(), [first, attempt(2, "superseded", 15, 20)], sold=2, answered=20)
    found = payments(planted.books(), PATIENCE)
    assert (found.paid_twice, dict(found.reasons), found.unexplained) == (1, {reason: 1}, [])


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (attempt(1, "timed_out", 0, 4.5, error_code="lease_expired"), "was waited for 4.5 of 7.0 s"),
        (attempt(1, "timed_out", 0, 2.5, error_code="connection_lost"), "was waited for 2.5 of 3.0 s"),
        (attempt(1, "timed_out", 0, 5.5, acked=0.5, error_code="timed_out"), "was waited for 5.5 of 6.0 s"),
        (attempt(1, "timed_out", 0, 12, acked=0.5, error_code="timed_out"), "was waited for 12.0 of 6.0 s"),
        (attempt(1, "cancelled", 0, 5, acked=0.5), "attempt 2 came after one that was cancelled"),
    ],
)
def test_a_job_that_was_bought_again_too_soon_has_no_reason(first: object, words: str) -> None:
    found = payments(sold_twice(first).books(), PATIENCE).unexplained
    assert any(words in each for each in found), found


@pytest.mark.parametrize(("outcome", "at_hand", "unknown"), [("applied", 9, 11), ("late", 4, 9)])
def test_a_job_that_was_bought_again_with_its_answer_at_hand_has_no_reason(
    outcome: str, at_hand: float, unknown: float
) -> None:
    lost_callback = attempt(1, "timed_out", 0, 7, acked=0.5, error_code="timed_out")
    assert payments(sold_twice(lost_callback, at_hand, outcome).books(), PATIENCE).unexplained != []
    assert payments(sold_twice(lost_callback, unknown, outcome).books(), PATIENCE).unexplained == []


@pytest.mark.parametrize(
    "first",
    [
        attempt(1, "timed_out", 0, 9.5, acked=0.5, error_code="timed_out", task_id="task-1"),
        attempt(1, "completed", 0, 20, acked=0.5, task_id="task-1"),
    ],
    ids=["that was lost", "that was late"],
)
def test_a_task_that_the_provider_has_and_was_not_asked_for_is_no_reason_to_pay_again(first: object) -> None:
    planted = Planted()
    shown = planted.put(job(), [first, attempt(2, "superseded", 15, 20)], answered=20)
    planted.sell(sale(shown, task_id="task-1"))
    assert payments(planted.books(), PATIENCE).unexplained == [
        f"{shown}: attempt 1 has a task that nobody asked for",
        f"{shown} was sold 2 times, with reasons for 0: []",
    ]


def test_who_was_asked_in_vain_is_waited_for_twice() -> None:
    asked = attempt(1, "timed_out", 0, 9.5, acked=0.5, error_code="timed_out", asked=True, task_id="task-1")
    (found, _) = payments(sold_twice(asked).books(), PATIENCE).unexplained
    assert found.endswith("attempt 1 was waited for 9.5 of 12.0 s")


def test_an_answer_that_was_read_back_is_saved_and_stands_for_no_callback() -> None:
    planted = good()
    shown = planted.put(job("job/1"), [attempt(1, "completed", 0, 7, acked=0.5)], answered=7, source="read_back")
    assert planted.books().saved == 1
    assert forgotten(planted.books()) == []
    planted.sell(sale(shown, 200))
    assert forgotten(planted.books()) == [f"{shown}: 1 callbacks were answered 200, 0 are kept"]


def test_a_sale_that_no_attempt_accounts_for_has_no_reason() -> None:
    planted = Planted()
    shown = planted.put(job(), [attempt(1, "completed", 0, 1, acked=0.5)], sold=2, answered=1)
    assert payments(planted.books(), PATIENCE).unexplained == [f"{shown} was sold 2 times, with reasons for 0: []"]


def test_what_was_certainly_not_accepted_is_no_reason_to_pay() -> None:
    planted = Planted()
    planted.put(job(), [attempt(1, "refused", 0, 1), attempt(2, "completed", 2, 3)], sold=2, answered=3)
    assert len(payments(planted.books(), PATIENCE).unexplained) == 1


def test_a_sale_to_nobody_has_no_reason() -> None:
    planted = good()
    planted.sell(sale("job_0"))
    assert len(payments(planted.books(), PATIENCE).unexplained) == 1
