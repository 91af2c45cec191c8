"""The pages as rendered from view values: what they say, and that no text of others gets out of its place."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser

import pytest
from flask import Flask

from app import ids
from app.admin import pages, sessions
from app.admin.sessions import Role
from app.config import load
from app.errors import Problem
from app.services.batchlists import BatchFilter, BatchList
from app.services.overviews import Failure, Overview
from app.services.views import BatchView, HoldView, JobDetail, Page, Span, WorkerView
from app.states import JobState
from tests.unit.admin.values import (
    JOB_ID,
    NOW,
    a_batch,
    a_callback,
    a_detail,
    a_job,
    a_provider,
    an_answer,
    an_attempt,
    an_overview,
    readiness,
)

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"
RTL = "\u202e\u0645\u0631\u062d\u0628"
VOID = {"meta", "link", "input", "img", "br"}


class Outline(HTMLParser):
    """Tags, attributes and whether everything that was opened was closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend(attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag


@pytest.fixture(autouse=True)
def _request(app: Flask) -> Iterator[None]:
    with app.test_request_context("/admin/", base_url="http://127.0.0.1:8000"):
        sessions.start(Role.OPERATOR)
        yield


def _batches(*items: BatchView, newer: int = 0, asked: BatchFilter | None = None) -> str:
    return pages.batches(BatchList(items, None, is_cut=False, newer=newer), asked or BatchFilter())


def _overview(found: Overview | None = None, **ready: object) -> str:
    return pages.overview(found or an_overview(), readiness(**ready), load())


def _job(detail: JobDetail, *, with_texts: bool = True) -> str:
    return pages.job(detail, a_batch(), with_texts=with_texts)


def _all_pages(text: str) -> list[str]:
    batch = a_batch(
        {"failed": 2, "queued": 1},
        name=text,
        owner=text,
        options={text: [text]},
        metadata={text: text},
        line_errors=(Problem(text, text, 3),),
        line_errors_total=2,
    )
    job = a_job(custom_id=text, state="failed", error_code=text, error_message=text, finished_at=NOW)
    attempt = an_attempt(provider_task_id=text, error_code=text, error_message=text)
    detail = a_detail(
        job=job,
        text_data=text,
        options={text: text},
        result=an_answer(text),
        attempts=(attempt,),
        callbacks=(a_callback(detail=text, source=text),),
    )
    hold = HoldView("provider", text, text, text, NOW, None, text, text)
    batch = replace(batch, holds=(hold,))
    return [
        _batches(batch),
        pages.batch(batch, Page((job,), None), []),
        _job(detail),
        pages.failure(text, text),
        pages.login(problem=text),
        _overview(
            an_overview((1, 1), providers=(a_provider(name=text, holds=(hold,)),), failures=(Failure(text, 1),)),
            is_ready=False,
            reason=text,
        ),
    ]


def test_hostile_text_stays_text_on_every_page() -> None:
    for page in _all_pages(HOSTILE):
        outline = Outline(page)
        assert outline.tags.count("script") == 2, "ours, which the policy names"
        assert "<script>" not in page
        assert not [name for name, _ in outline.attributes if name.startswith("on")]
        assert "&lt;script&gt;" in page
        assert "{{ 7*7 }}" in page


def test_no_page_has_an_inline_script_or_style_or_needs_another_host() -> None:
    for page in _all_pages("plain"):
        outline = Outline(page)
        ours = re.findall(r'<script src="/admin/static/[\w.]+" defer></script>', page)
        assert len(ours) == outline.tags.count("script")
        assert "style" not in outline.tags
        assert "style" not in dict(outline.attributes)
        links = [value or "" for name, value in outline.attributes if name in {"href", "src", "action"}]
        assert links
        assert not [link for link in links if link.startswith(("http", "//", "javascript:"))]


def test_text_from_right_to_left_can_not_turn_its_surroundings() -> None:
    for page in _all_pages(RTL)[1:3]:
        assert f"<bdi>{RTL}</bdi>" in page
    assert f'<pre class="text" dir="auto">{RTL}</pre>' in _all_pages(RTL)[2]


def test_every_page_has_a_language_a_title_one_heading_and_a_way_past_the_navigation() -> None:
    for page in [*_all_pages("plain"), _batches()]:
        assert '<html lang="en">' in page
        assert re.search(r"<title>[^<]+ · Hivebatch</title>", page)
        assert page.count("<h1>") == 1
        assert 'class="skip" href="#main"' in page
        assert 'id="main"' in page


def test_every_table_has_a_caption_and_scoped_headers() -> None:
    for page in _all_pages("plain")[:3]:
        assert page.count("<table") == page.count("<caption") > 0
        assert not re.search(r"<th(?![^>]*scope)[ >]", page.replace("<thead>", ""))


def test_a_prompt_of_a_hundred_thousand_characters_is_cut_and_whole_behind_a_disclosure() -> None:
    text = "line of text\n" * 8000
    page = _job(a_detail(text_data=text))
    assert f'<pre class="text" dir="auto">{text[:600]}…</pre>' in page
    assert "<summary>All 104,000 characters</summary>" in page
    assert text in page


def test_a_short_text_is_shown_once() -> None:
    page = _job(a_detail(text_data="Name three rivers.", result=an_answer("Rhine, Ob, Nile")))
    assert page.count('<pre class="text" dir="auto">Name three rivers.</pre>') == 1
    assert "Rhine, Ob, Nile" in page


def test_a_job_shows_neither_prompt_nor_answer_before_somebody_asks() -> None:
    page = _job(
        a_detail(text_data="my prompt", options={"system_prompt": "my own"}, result=an_answer("x")), with_texts=False
    )
    assert "Show prompt and answer" in page
    assert not re.search("my prompt|my own", page)


def test_the_commands_of_a_job_get_it_and_submit_the_same() -> None:
    text = 'it\'s "quoted" $HOME `x`\nEND\nmore'
    page = unescape(_job(a_detail(text_data=text, options={"max_tokens": 5})))
    assert f"curl http://127.0.0.1:8000/api/jobs/{ids.show('job', JOB_ID)} " in page
    (said,) = re.findall(r"<<'END'\n(.*)\nEND</pre>", page)
    assert json.loads(said) == {
        "custom_id": "sku-1",
        "provider": "hive_v2",
        "text_data": text,
        "options": {"max_tokens": 5},
    }
    chat = _job(a_detail(options={"chat": {"n": 1}}))
    assert "what only the OpenAI face takes" in chat


def test_the_raw_job_is_what_the_api_says_without_its_texts() -> None:
    page = unescape(_job(a_detail(text_data="secret", result=an_answer("secret too")), with_texts=False))
    (raw,) = re.findall(r'<pre class="code" tabindex="0">(\{.*?)</pre>', page, re.DOTALL)
    found = json.loads(raw)
    assert (found["id"], found["result"]["source"]) == (ids.show("job", JOB_ID), "callback")
    assert not {"text_data", "options"} & set(found)
    assert "secret" not in page


def test_the_list_shows_counts_in_words_and_in_a_bar() -> None:
    page = _batches(a_batch({"completed": 198, "failed": 2}))
    assert 'aria-label="198 completed, 2 failed"' in page
    assert "198 of 200 completed, 2 failed" in page
    assert '<rect class="good" x="0' in page


def test_an_empty_list_says_how_to_submit_the_first_batch() -> None:
    page = _batches()
    assert "No batches yet" in page
    assert "curl http://127.0.0.1:8000/api/batches" in page


def test_a_page_after_the_last_batch_does_not_say_that_there_are_none(app: Flask) -> None:
    with app.test_request_context("/admin/?cursor=abc"):
        page = _batches()
    assert "No batches yet" not in page
    assert "There are no older batches." in page


def test_a_hold_is_told_with_its_reason_and_its_end() -> None:
    hold = HoldView("provider", "hive_v2", "rate_limited", "429", NOW, NOW + timedelta(seconds=40), "submission", "x")
    page = _overview(an_overview(providers=(a_provider(holds=(hold,)),)))
    assert "Submitting is held" in page
    assert "rate_limited" in page
    assert "in 40 s" in page
    endless = _overview(
        an_overview(providers=(a_provider(holds=(replace(hold, until=None, ends="somebody lifts it"),)),))
    )
    assert "until somebody lifts it" in endless


def test_the_last_sweep_is_told_and_its_absence_too() -> None:
    worker = WorkerView("w1", NOW, NOW, None, stands_aside=False)
    fresh = _overview(workers=(worker,), last_sweep_at=NOW - timedelta(seconds=4))
    assert re.search(r"1 alive\s*<span class=\"under\">last sweep <time [^>]*>4 s ago", fresh)
    stale = _overview(last_sweep_at=NOW - timedelta(minutes=5))
    assert "No worker is running" in stale
    assert "5 min ago" in stale
    assert "none has ever swept" in _overview(last_sweep_at=None)


def test_the_buttons_of_a_batch_name_how_many_jobs_they_concern() -> None:
    page = pages.batch(a_batch({"failed": 1200, "queued": 3, "waiting": 1}), Page((), None), [])
    assert '<button class="primary">Retry 1,200 failed jobs</button>' in page
    assert '<button class="danger">Cancel 4 open jobs</button>' in page


@pytest.mark.parametrize(
    ("counts", "label"),
    [
        ({"failed": 1}, "Retry 1 failed job"),
        ({"cancelled": 2}, "Retry 2 cancelled jobs"),
        ({"failed": 1, "cancelled": 2}, "Retry 3 failed and cancelled jobs"),
    ],
)
def test_the_retry_button_says_which_jobs_it_takes(counts: dict[str, int], label: str) -> None:
    assert f">{label}</button>" in pages.batch(a_batch(counts), Page((), None), [])


def test_a_finished_batch_has_nothing_to_press() -> None:
    page = pages.batch(a_batch({"completed": 5}), Page((), None), [])
    assert "/retry" not in page
    assert "/cancel" not in page
    assert "/pause" not in pages.batch(a_batch({"completed": 5}, status="completed"), Page((), None), [])


def test_a_batch_can_be_paused_or_resumed_never_both() -> None:
    assert '<button class="primary">Pause</button>' in pages.batch(a_batch({"queued": 1}), Page((), None), [])
    hold = HoldView("batch", "batch_1", "paused", "lunch", NOW, None, "dev", "x")
    page = pages.batch(a_batch({"queued": 1}, status="paused", holds=(hold,)), Page((), None), [])
    assert ">Resume</button>" in page
    assert "/pause" not in page
    assert "Held: paused." in page


def test_the_states_of_a_batch_are_links_and_the_chosen_one_is_marked() -> None:
    page = pages.batch(a_batch({"failed": 2}), Page((), None), ["failed"])
    assert page.count("?state=") >= len(JobState)
    assert re.search(r'\?state=failed" aria-current="true"', page)
    assert "No job of this batch is failed." in page


def test_the_next_page_keeps_the_chosen_states() -> None:
    page = pages.batch(a_batch({"failed": 2}), Page((a_job(state="failed"),), "after-1"), ["failed"])
    assert "?state=failed&amp;cursor=after-1" in page


@pytest.mark.parametrize(("state", "can_retry"), [("failed", True), ("cancelled", True), ("waiting", False)])
def test_only_a_job_that_ended_without_an_answer_can_be_retried(state: str, can_retry: bool) -> None:
    page = _job(a_detail(job=a_job(state=state)))
    assert ("/retry" in page) is can_retry
    assert ("/cancel" in page) is ("/fail" in page) is not can_retry


def test_stored_answers_of_one_job_are_read_again_only_where_none_was_recognised() -> None:
    unread = a_job(state="failed", error_code="text_not_recognised")
    assert "/reparse" in _job(a_detail(job=unread))
    assert "/reparse" not in _job(a_detail(job=replace(unread, error_code="timed_out")))


def test_only_a_job_without_an_answer_can_be_completed_by_hand() -> None:
    assert "Write the answer" in _job(a_detail(job=a_job(state="cancelled")))
    assert "Write the answer" not in _job(a_detail(result=an_answer("x")))


def test_an_open_job_says_what_it_waits_for() -> None:
    page = _job(a_detail(job=a_job(state="waiting", due_at=NOW + timedelta(minutes=8))))
    assert "Times out" in page
    assert "in 8 min" in page


def test_a_callback_that_is_overdue_is_called_so_beside_its_state() -> None:
    due = {"expected_by": NOW - timedelta(minutes=2), "due_at": NOW + timedelta(minutes=8), "is_overdue": True}
    late = a_job(state="waiting", **due)
    page = _job(a_detail(job=late))
    assert "Callback expected by" in page
    assert "2 min ago" in page
    for shown in (page, pages.batch(a_batch({"waiting": 2}, overdue=1), Page((late,), None), [])):
        assert "</span> overdue</span>" in shown
    assert "overdue" not in pages.batch(a_batch({"waiting": 2}), Page((a_job(state="waiting"),), None), [])


def test_the_overdue_jobs_of_a_batch_are_a_link_as_the_states_are() -> None:
    page = pages.batch(a_batch({"waiting": 2}, overdue=1), Page((), None), ["overdue"])
    assert re.search(r'\?state=overdue" aria-current="true"', page)
    assert "No job of this batch is overdue." in page


def test_an_open_batch_shows_between_when_and_when_it_ends() -> None:
    end = Span(NOW + timedelta(minutes=3), NOW + timedelta(minutes=5))
    page = pages.batch(a_batch({"queued": 2}, expected_end=end), Page((), None), [])
    shown = re.sub(r"<[^>]+>", "", page)
    assert "Expected endin 3 min to in 5 min" in shown
    assert "Expected end" not in pages.batch(a_batch({"queued": 2}), Page((), None), [])


def test_instants_are_relative_with_the_exact_one_in_the_title() -> None:
    page = _batches(a_batch())
    assert 'datetime="2026-03-01T11:57:00.000Z" title="2026-03-01T11:57:00.000Z">3 min ago</time>' in page
