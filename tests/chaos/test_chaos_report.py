"""The report names everything that should not be, and says so when there is nothing."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.chaos.accounts import Payments
from tests.chaos.marks import PHASES
from tests.chaos.recovery import PROVOKED, Bound, Recovery
from tests.chaos.report import Report

GOOD = Report(
    database="postgresql",
    seconds=60,
    jobs=800,
    batches=40,
    requests=50,
    faults={"killed": 5},
    hits=dict.fromkeys(PHASES, 1),
    lost=[],
    doubled=[],
    forgotten=[],
    payments=Payments(2, Counter({"unknown outcome": 2}), []),
    saved=12,
    sales=802,
    billed=Decimal("0.1"),
    recoveries=[Recovery(kind, "batch_1", 0.4, 0.3) for kind in PROVOKED],
    bounds={kind: Bound("one sweep", 0.5) for kind in (*PROVOKED, "lost callback, asked twice")},
    late=[],
    asked=70,
    unexplained_open=[],
)


def test_a_good_report_says_so() -> None:
    assert GOOD.complaints == []
    shown = str(GOOD)
    assert "jobs lost: 0" in shown
    assert "results doubled: 0" in shown
    assert "paid twice: 2 (unknown outcome 2), unexplained: 0" in shown
    assert "saved by asking: 12 answers were read back" in shown
    assert "longest recovery, lost ring: 0.4 s" in shown
    assert "longest recovery, lost callback, asked twice: none" in shown
    assert shown.endswith("all is well")


@pytest.mark.parametrize(
    "bad",
    [
        {"lost": ["this"]},
        {"doubled": ["this"]},
        {"forgotten": ["this"]},
        {"payments": Payments(1, Counter(), ["this"])},
        {"late": ["this"]},
        {"unexplained_open": ["this"]},
        {"others": ["this"]},
    ],
    ids=lambda bad: next(iter(bad)),
)
def test_whatever_should_not_be_is_complained_of(bad: dict[str, object]) -> None:
    report = replace(GOOD, **bad)
    assert len(report.complaints) == 1
    assert str(report).endswith(": this")
    assert "all is well" not in str(report)


@pytest.mark.parametrize("kind", PROVOKED)
def test_a_recovery_that_was_never_measured_is_complained_of(kind: str) -> None:
    report = replace(GOOD, recoveries=[each for each in GOOD.recoveries if each.kind != kind])
    assert report.complaints == [f"recovery not measured: {kind}"]


def test_where_no_ring_can_be_lost_the_report_says_so() -> None:
    report = replace(GOOD, database="sqlite", recoveries=[each for each in GOOD.recoveries if each.kind != "lost ring"])
    assert report.complaints == []
    assert "longest recovery, lost ring: there are none" in str(report)


def test_a_run_in_which_no_answer_was_read_back_is_complained_of() -> None:
    assert replace(GOOD, saved=0).complaints == ["saved by asking: no answer was read back"]


def test_a_run_in_which_no_open_job_was_asked_about_is_complained_of() -> None:
    assert "open jobs asked about: 70, not explained: 0" in str(GOOD)
    assert replace(GOOD, asked=0).complaints == ["why: no open job was asked about"]


def test_a_phase_that_no_kill_has_hit_is_complained_of() -> None:
    report = replace(GOOD, hits={phase: 1 for phase in PHASES if phase != "finalize"})
    assert report.complaints == ["no kill hit: finalize"]


def test_many_complaints_are_counted() -> None:
    shown = str(replace(GOOD, lost=[f"job {number}" for number in range(25)]))
    assert "jobs lost: 25" in shown
    assert shown.endswith("and 15 more")
