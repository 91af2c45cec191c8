"""What the service says of open jobs is believed only as long as it can be true."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest

from tests.chaos.planted import at
from tests.chaos.questions import IN_LINE_SECONDS, OVERDUE_SECONDS, READY_SECONDS, Answer, Questions, wrong


def reason(code: str, since: float = 0.0, until: float | None = None) -> Mapping[str, Any]:
    ends = {} if until is None else {"until": at(until).isoformat()}
    return {"code": code, "since": at(since).isoformat()} | ends


def said(seconds: float, *reasons: Mapping[str, Any]) -> Answer:
    """What was said so many seconds into the run."""
    return Answer(at(seconds), reasons)


def test_an_open_job_that_waits_for_nothing_is_not_explained() -> None:
    assert wrong([said(0)]) == "it is open, and waits for nothing"


def test_a_reason_may_be_over_for_two_sweeps() -> None:
    grace = reason("unknown_outcome", until=10)
    begun, allowed, over = (said(seconds, grace) for seconds in (9, 10 + OVERDUE_SECONDS, 10.1 + OVERDUE_SECONDS))
    assert wrong([begun]) is wrong([begun, allowed]) is None
    assert wrong([begun, over]) == f"unknown_outcome was to end {OVERDUE_SECONDS + 0.1:.1f} s ago"


@pytest.mark.parametrize("code", ["timing_out"])
def test_a_task_may_stand_in_line_to_be_asked_for(code: str) -> None:
    lost = reason(code, until=10)
    begun, allowed, over = (said(seconds, lost) for seconds in (9, 10 + IN_LINE_SECONDS, 10.1 + IN_LINE_SECONDS))
    assert wrong([begun, allowed]) is None
    assert wrong([begun, over]) == f"{code} was to end {IN_LINE_SECONDS + 0.1:.1f} s ago"


def test_what_passed_during_a_fault_counts_from_its_end() -> None:
    waiting = reason("submitting", until=10)
    assert wrong([said(60, waiting), said(60 + OVERDUE_SECONDS, waiting)]) is None
    assert wrong([said(60, waiting), said(60.1 + OVERDUE_SECONDS, waiting)]) is not None


@pytest.mark.parametrize(("code", "most"), [("ready", READY_SECONDS), ("in_line", IN_LINE_SECONDS)])
def test_a_job_that_nothing_holds_is_claimed_soon(code: str, most: float) -> None:
    first, allowed, late = (said(seconds, reason(code)) for seconds in (1, 1 + most, 1.1 + most))
    assert wrong([first, allowed]) is None
    assert wrong([first, late]) == f"nothing has held it for {most + 0.1:.1f} s, and nobody claims it"


@pytest.mark.parametrize(
    "between",
    [
        said(3, reason("breaker", until=4), reason("ready")),
        said(3, reason("waiting_for_callback", until=60)),
        said(3, reason("ready", since=2)),
    ],
    ids=["it was held", "it was claimed", "it was claimed and came back"],
)
def test_a_job_that_was_not_next_in_line_all_the_time_may_be_so_for_longer(between: Answer) -> None:
    assert wrong([said(0, reason("ready")), between, said(1 + READY_SECONDS, reason("ready", since=2))]) is None


class Service:
    """Three jobs of one batch, with one answer each, over and over; the last is over when it is asked about."""

    def __init__(self, **answers: Sequence[Mapping[str, Any]]) -> None:
        self.answers = answers

    def open_batches(self) -> Sequence[str]:
        return ["batch_1"]

    def open_jobs(self, batch_id: str, most: int) -> Sequence[str]:
        return list(self.answers)

    def is_open(self, job_id: str) -> bool:
        return job_id != "over"

    def why(self, shown: str) -> Sequence[Mapping[str, Any]]:
        return self.answers[shown]


def test_every_open_job_is_asked_about_and_one_that_is_over_does_not_count() -> None:
    asked = Questions(Service(good=[reason("waiting_for_callback")], bad=[], over=[]), Random(1))
    asked.ask()
    assert (asked.asked, asked.unexplained) == (2, ["bad: it is open, and waits for nothing"])


def test_a_doubtful_answer_is_asked_for_again_until_it_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.chaos.questions.READY_SECONDS", 0.1)
    monkeypatch.setattr("tests.chaos.questions._AGAIN_SECONDS", 0.01)
    asked = Questions(Service(stuck=[reason("ready")]), Random(1))
    asked.ask()
    (found,) = asked.unexplained
    assert found.startswith("stuck: nothing has held it for 0.1 s")
