"""The parts of the benchmark that judge: the audit, the ratios, and the HTTP that everything is measured through."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from tests.bench import chart, profiling, wire
from tests.bench.audit import Submit, complaints
from tests.bench.counterpart import Entry
from tests.bench.figures import Figure, Samples, rows_of

ENTRY = Entry("task-1", "http://here/1", "job_1", acked_at=1.0, sent_at=2.0, answered_at=3.0, status=200)
SUBMIT = Submit("task-1", "job_1", "completed", "task-1 and so on", 1)


def test_books_that_agree_raise_no_complaint() -> None:
    assert complaints([SUBMIT], [ENTRY], 1) == []


def test_submits_that_are_in_no_ledger_are_left_out() -> None:
    assert complaints([SUBMIT, SUBMIT._replace(task_id="warm-up"), SUBMIT._replace(task_id=None)], [ENTRY], 1) == []


@pytest.mark.parametrize(
    ("submit", "what"),
    [
        (SUBMIT._replace(task_id="task-2"), "of them in the database"),
        (SUBMIT._replace(job="job_2"), "known to the provider by the same name"),
        (SUBMIT._replace(text="task-2 and so on"), "with the result that was sent"),
        (SUBMIT._replace(text=None), "with the result that was sent"),
        (SUBMIT._replace(callbacks=2), "with one applied callback"),
        (SUBMIT._replace(state="waiting"), "completed"),
    ],
)
def test_whatever_the_database_has_otherwise_is_complained_of(submit: Submit, what: str) -> None:
    assert f"0 of 1: {what}" in complaints([submit], [ENTRY], 1)


def test_a_job_that_was_never_submitted_is_complained_of() -> None:
    assert "1 of 2: submits that the provider accepted" in complaints([SUBMIT], [ENTRY], 2)


def test_a_job_that_was_submitted_twice_is_complained_of() -> None:
    again = replace(ENTRY, task_id="task-2")
    found = complaints([SUBMIT, SUBMIT._replace(task_id="task-2", text="task-2")], [ENTRY, again], 2)
    assert found == ["1 of 2: different jobs"]


@pytest.mark.parametrize("status", [0, 404, 500, None])
def test_a_callback_that_was_not_answered_200_is_complained_of(status: int | None) -> None:
    assert complaints([SUBMIT], [replace(ENTRY, status=status)], 1) == ["0 of 1: callbacks answered 200"]


def test_ratio_and_share_are_above_one_when_better_also_where_less_is_better() -> None:
    rate, span = Figure("submit", 2000.0, 200.0, 4000.0), Figure("latency_ms", 10.0, 20.0, 5.0)
    assert (rate.ratio, rate.share_of_limit) == (10.0, 0.5)
    assert (span.ratio, span.share_of_limit) == (2.0, 0.5)


def test_a_row_of_the_medians_compares_the_fast_sender_with_the_one_that_the_obvious_design_has() -> None:
    samples = Samples()
    for ours, obvious in ((100.0, 10.0), (300.0, 30.0), (200.0, 20.0)):
        samples.add("ours", {"submit_fast": ours})
        samples.add("obvious", {"submit": obvious})
    (row,) = rows_of(samples.figures())
    assert (row["ours"], row["obvious"], row["ratio"], row["limit"]) == (200.0, 20.0, 10.0, None)


@pytest.mark.parametrize(("copy", "ratio"), [(59_000.0, 20.0), (61_000.0, None)])
def test_there_is_no_ratio_to_an_obvious_design_that_is_slower_than_the_machine_explains(
    copy: float, ratio: float | None
) -> None:
    figures = [Figure("accept", 20_000.0, 1_000.0, copy), Figure("end_to_end", 1_580.0, 79.0, None)]
    assert [row["ratio"] for row in rows_of(figures)] == [ratio, ratio]


def test_the_chart_is_well_formed_without_ratio_or_limit() -> None:
    row = {"name": "submit", "ours": 1.0, "obvious": None, "ratio": None, "limit": None}
    words = "".join(ET.fromstring(chart.draw([row], ["<here & now>"])).itertext())  # noqa: S314 - our own chart
    assert "submits stored" in words
    assert "0/s" not in words  # what was not measured is not drawn as nothing


def test_messages_are_taken_whole_one_by_one_and_in_order() -> None:
    sent = wire.post("here", "/one", b"12345") + wire.answer(b"{}", b"404 Not Found") + b"HTTP/1.1 200 OK\r\n\r\n"
    buffer, taken = bytearray(), []
    for byte in sent:
        buffer.append(byte)
        while (message := wire.take(buffer)) is not None:
            taken.append(message)
    assert [message.body for message in taken] == [b"12345", b"{}", b""]
    assert (taken[0].target, taken[1].status, taken[2].status, bytes(buffer)) == ("POST /one", 404, 200, b"")


def test_a_sample_of_a_profile_counts_for_the_innermost_function_of_ours() -> None:
    folded = [
        "take (/here/app/api/front.py:3);keep (/here/app/services/inbox.py:9);dumps (json/x.py:1) 3",
        "run (asyncio/runners.py:118) 1",
    ]
    assert profiling.shares(folded) == {"app/services/inbox": 0.75, "the server and the interpreter": 0.25}
