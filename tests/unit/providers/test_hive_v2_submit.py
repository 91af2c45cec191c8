"""Submitting to V2: what is sent, and what becomes of every answer."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from app.providers.base import Accepted, Held, Rejected, Submission, SubmitOutcome, Unknown
from app.providers.hive_v2 import HiveV2
from app.providers.outcomes import one_line, retry_after_seconds
from tests.unit.providers.conftest import MakeSender, Serve, Waiting
from tests.unit.providers.servers import Act, answer, hang, hang_up, raw_then_close, reset, says

SUBMISSION = Submission(
    text_data="List three rivers",
    options={"system_prompt": "Be brief", "max_tokens": 64, "temperature": 0, "top_p": None},
    callback_url="https://cb.example/callbacks/hive/TOKEN",
    metadata="job_17/att_1",
)


def hive(url: str, *keys: str, **options: Any) -> HiveV2:
    return HiveV2(url, keys or ("k_1",), **options)


def outcome_of(serve: Serve, sender: Waiting, *acts: Act) -> SubmitOutcome:
    return sender.hold(hive(serve(*acts).url).submit(SUBMISSION))


# --- what is sent ---


def test_a_submit_is_a_json_post_with_the_key(serve: Serve, sender: Waiting) -> None:
    server = serve(says({"task_id": "t-1"}))
    sender.hold(hive(server.url).submit(SUBMISSION))
    sent = server.received[0]
    assert (sent.method, sent.path) == ("POST", "/api/v2/task/async")
    assert (sent.headers["authorization"], sent.headers["content-type"]) == ("Token k_1", "application/json")


def test_absent_options_are_left_out_and_zero_is_sent(serve: Serve, sender: Waiting) -> None:
    server = serve(says({"task_id": "t-1"}))
    sender.hold(hive(server.url).submit(SUBMISSION))
    assert json.loads(server.received[0].body) == {
        "text_data": "List three rivers",
        "callback_url": "https://cb.example/callbacks/hive/TOKEN",
        "metadata": "job_17/att_1",
        "options": {"system_prompt": "Be brief", "max_tokens": 64, "temperature": 0},
    }


def test_no_options_at_all_are_left_out(serve: Serve, sender: Waiting) -> None:
    server = serve(says({"task_id": "t-1"}))
    sender.hold(hive(server.url).submit(Submission("hi", {"top_p": None}, "https://cb.example", "m")))
    assert "options" not in json.loads(server.received[0].body)


def test_text_of_any_script_arrives_as_it_was(serve: Serve, sender: Waiting) -> None:
    server = serve(says({"task_id": "t-1"}))
    sender.hold(hive(server.url).submit(Submission("Flüsse 河 🌊", {}, "https://cb.example", "m")))
    assert json.loads(server.received[0].body)["text_data"] == "Flüsse 河 🌊"


# --- accepted, or nearly ---


@pytest.mark.parametrize("status", [200, 201, 202, 299])
@pytest.mark.parametrize(
    ("fields", "task_id"),
    [
        ({"task_id": "t-1"}, "t-1"),
        ({"task_id": "t-1", "id": "other", "task_ids": ["third"]}, "t-1"),
        ({"task_id": "", "id": "t-2"}, "t-2"),
        ({"task_id": None, "id": None, "task_ids": ["t-3", "t-4"]}, "t-3"),
        ({"task_id": 17}, "17"),
        ({"task_id": "t-1", "return_code": 0}, "t-1"),
        ({"task_id": "t-1", "return_code": 200}, "t-1"),
        ({"task_id": "t-1", "return_code": "0"}, "t-1"),
        ({"task_id": "t-1", "return_code": None}, "t-1"),
        ({"task_id": "t-1", "return_code": 7}, "t-1"),
    ],
)
def test_an_ack_with_an_id_is_accepted(
    serve: Serve, sender: Waiting, status: int, fields: object, task_id: str
) -> None:
    assert outcome_of(serve, sender, says(fields, status)) == Accepted(task_id, status)


def test_an_odd_return_code_beside_an_id_is_logged(
    serve: Serve, sender: Waiting, caplog: pytest.LogCaptureFixture
) -> None:
    outcome_of(serve, sender, says({"task_id": "t-1", "return_code": 7}))
    assert "task_accepted_with_return_code task_id=t-1 return_code=7" in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"",
        b"[]",
        b"null",
        b"<html>busy</html>",
        b'{"task_id": ""}',
        b'{"task_ids": []}',
        b'{"task_id": {"id": "x"}}',
        b'{"task_id": true}',
        b'{"task_id": "t-1", "message": "\\u0000"}',
        b'{"task_id": "t-1"',
        b'{"task_id": "' + b"t" * 201 + b'"}',
    ],
)
def test_a_2xx_without_a_usable_id_may_have_been_accepted(serve: Serve, sender: Waiting, body: bytes) -> None:
    outcome = outcome_of(serve, sender, answer(200, body))
    assert isinstance(outcome, Unknown)
    assert (outcome.code, outcome.http_status) == ("no_task_id", 200)


def test_an_odd_return_code_without_an_id_is_permanent(serve: Serve, sender: Waiting) -> None:
    outcome = outcome_of(serve, sender, says({"return_code": 7, "message": "no such project"}))
    assert outcome == Rejected("return_code_7", "HTTP 200: no such project", 200)


# --- not accepted ---

PERMANENT = [400, 404, 405, 413, 415, 422, 406, 409, 410, 418, 451, 499]
KEY_REFUSED = [401, 402, 403]
MAYBE_ACCEPTED = [408, 425, 500, 502, 503, 504, 501, 520, 599, 600, 999]
REDIRECTS = [300, 301, 302, 303, 307, 308]
STATUSES: list[tuple[int, type, str]] = [
    *((status, Rejected, f"http_{status}") for status in PERMANENT),
    *((status, Held, "key_refused") for status in KEY_REFUSED),
    *((status, Unknown, f"http_{status}") for status in MAYBE_ACCEPTED),
    (429, Held, "rate_limited"),
]


@pytest.mark.parametrize(("status", "kind", "code"), [*STATUSES, *((s, Held, "misconfigured") for s in REDIRECTS)])
def test_every_status_has_its_outcome(serve: Serve, sender: Waiting, status: int, kind: type, code: str) -> None:
    outcome = outcome_of(serve, sender, says({"message": "so it is"}, status, Location="/elsewhere"))
    assert type(outcome) is kind
    assert code == (outcome.reason if isinstance(outcome, Held) else getattr(outcome, "code", None))
    assert outcome.http_status == status
    assert "so it is" in getattr(outcome, "message", "")


@pytest.mark.parametrize(("status", "kind", "code"), [row for row in STATUSES if 400 <= row[0] <= 599])
@pytest.mark.parametrize("ack", [{}, {"task_id": "t-1"}])
@pytest.mark.parametrize("as_text", [False, True])
def test_a_status_in_the_return_code_of_a_2xx_counts_as_that_status(
    serve: Serve,
    sender: Waiting,
    status: int,
    kind: type,
    code: str,
    ack: dict[str, object],
    as_text: bool,
) -> None:
    outcome = outcome_of(serve, sender, says(ack | {"return_code": str(status) if as_text else status}))
    assert type(outcome) is kind
    assert code == (outcome.reason if isinstance(outcome, Held) else getattr(outcome, "code", None))


def test_an_interim_status_that_is_no_answer_may_have_been_accepted(serve: Serve, sender: Waiting) -> None:
    outcome = outcome_of(serve, sender, raw_then_close(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"))
    assert isinstance(outcome, Unknown)


@pytest.mark.parametrize("status", [*KEY_REFUSED, 302])
def test_what_only_a_person_can_mend_waits_for_one(serve: Serve, sender: Waiting, status: int) -> None:
    outcome = outcome_of(serve, sender, says({}, status))
    assert isinstance(outcome, Held)
    assert outcome.needs_operator


@pytest.mark.parametrize("status", [200, 400, 429, 503])
def test_the_return_code_of_an_error_status_changes_nothing(serve: Serve, sender: Waiting, status: int) -> None:
    plain = outcome_of(serve, sender, says({"message": "x"}, status))
    assert outcome_of(serve, sender, says({"message": "x", "return_code": 0}, status)) == plain
    if status != 200:
        assert outcome_of(serve, sender, says({"message": "x", "return_code": 403}, status)) == plain


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"message": "too long"}', "HTTP 400: too long"),
        (b'{"error": "too long"}', "HTTP 400: too long"),
        (b'{"error": {"message": "too long", "type": "x"}}', "HTTP 400: too long"),
        (b"<html>\n  <b>no</b>\x00</html>", "HTTP 400: <html> <b>no</b> </html>"),
        (b"\xff\xfe", "HTTP 400: \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"),
        (b"", "HTTP 400"),
        (b"{}", "HTTP 400"),
    ],
)
def test_the_message_is_what_the_provider_says(serve: Serve, sender: Waiting, body: bytes, said: str) -> None:
    outcome = outcome_of(serve, sender, answer(400, body))
    assert isinstance(outcome, Rejected)
    assert outcome.message == said


@pytest.mark.parametrize("status", [302, 400, 401, 429, 500])
def test_a_message_is_never_longer_than_its_column(serve: Serve, sender: Waiting, status: int) -> None:
    outcome = outcome_of(serve, sender, answer(status, b"x" * 10_000))
    assert 400 < len(getattr(outcome, "message", "")) <= 500


@given(st.text())
def test_a_message_is_one_printable_line(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= 500


# --- no answer ---


def test_what_was_not_sent_holds_the_provider(sender: Waiting) -> None:
    outcome = sender.hold(hive("http://nowhere.invalid").submit(SUBMISSION))
    assert isinstance(outcome, Held)
    assert (outcome.reason, outcome.needs_operator) == ("unreachable", False)


@pytest.mark.parametrize(
    ("act", "code"), [(reset, "connection_lost"), (hang_up, "connection_lost"), (hang, "timed_out")]
)
def test_what_was_sent_without_an_answer_may_have_been_accepted(
    serve: Serve, make_sender: MakeSender, act: Act, code: str
) -> None:
    outcome = outcome_of(serve, make_sender(0.2), act)
    assert isinstance(outcome, Unknown)
    assert outcome.code == code


# --- 429 ---


@freeze_time("2025-03-01T10:00:00Z")
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        (" 12 ", 12.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("86400", 3600.0),
        ("9" * 5000, 3600.0),
        ("inf", 3600.0),
        ("nan", None),
        ("Sat, 01 Mar 2025 10:00:30 GMT", 30.0),
        ("Sat, 01 Mar 2025 10:00:30 -0000", 30.0),
        ("Sat, 01 Mar 2025 11:00:30 +0100", 30.0),
        ("Sat, 01 Mar 2025 09:59:00 GMT", 0.0),
        ("Sun, 02 Mar 2025 10:00:00 GMT", 3600.0),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_within_an_hour(
    serve: Serve, sender: Waiting, header: str, seconds: float | None
) -> None:
    outcome = outcome_of(serve, sender, says({}, 429, Retry_After=header))
    assert isinstance(outcome, Held)
    assert outcome.retry_after_seconds == seconds
    assert not outcome.needs_operator


def test_a_429_may_leave_open_for_how_long(serve: Serve, sender: Waiting) -> None:
    outcome = outcome_of(serve, sender, says({}, 429))
    assert isinstance(outcome, Held)
    assert outcome.retry_after_seconds is None


DATES = st.datetimes().map(lambda moment: moment.replace(tzinfo=UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"))


@given(st.one_of(st.text(), DATES, st.from_regex(r"[A-Z][a-z]{2}, [0-9]+ [A-Z][a-z]{2} [0-9]+ [0-9:]+ [+-][0-9]+")))
def test_any_retry_after_is_within_an_hour_or_nothing(value: str) -> None:
    seconds = retry_after_seconds(value)
    assert seconds is None or 0 <= seconds <= 3600


def test_a_date_is_measured_against_our_clock() -> None:
    with freeze_time(datetime(2025, 3, 1, 10, tzinfo=UTC)):
        assert retry_after_seconds("Sat, 01 Mar 2025 10:10:00 GMT") == 600


# --- keys ---


def keys_seen(received: list[Any]) -> list[str]:
    return [request.headers["authorization"].removeprefix("Token ") for request in received]


@pytest.mark.parametrize(
    "refusal", [*(says({}, status) for status in KEY_REFUSED), says({"return_code": 403, "message": "no"})]
)
def test_a_refused_key_is_followed_by_the_other_one(serve: Serve, sender: Waiting, refusal: Act) -> None:
    server = serve(refusal, says({"task_id": "t-1"}))
    assert sender.hold(hive(server.url, "old", "new").submit(SUBMISSION)) == Accepted("t-1", 200)
    assert keys_seen(server.received) == ["old", "new"]
    assert server.received[0].body == server.received[1].body


def test_the_key_that_worked_is_used_from_then_on(serve: Serve, sender: Waiting) -> None:
    server = serve(says({}, 401), says({"task_id": "t-1"}))
    provider = hive(server.url, "old", "new")
    for _ in range(3):
        sender.hold(provider.submit(SUBMISSION))
    assert keys_seen(server.received) == ["old", "new", "new", "new"]


def test_a_key_that_worked_and_is_refused_later_gives_way_to_the_other(serve: Serve, sender: Waiting) -> None:
    ack = says({"task_id": "t-1"})
    server = serve(says({}, 401), ack, says({}, 401), ack)
    provider = hive(server.url, "one", "two")
    assert [sender.hold(provider.submit(SUBMISSION)) for _ in range(2)] == [Accepted("t-1", 200)] * 2
    assert keys_seen(server.received) == ["one", "two", "two", "one"]


def test_two_refused_keys_hold_the_provider(serve: Serve, sender: Waiting) -> None:
    server = serve(says({"message": "bad key"}, 401), says({"message": "no credit"}, 402))
    outcome = sender.hold(hive(server.url, "one", "two", "three").submit(SUBMISSION))
    assert outcome == Held("key_refused", "HTTP 402: no credit", needs_operator=True, http_status=402)
    assert keys_seen(server.received) == ["one", "two"]


def test_a_single_refused_key_is_asked_once(serve: Serve, sender: Waiting) -> None:
    server = serve(says({}, 403))
    sender.hold(hive(server.url, "only").submit(SUBMISSION))
    assert keys_seen(server.received) == ["only"]


@pytest.mark.parametrize("status", [400, 429, 500])
def test_no_other_answer_is_followed_by_the_other_key(serve: Serve, sender: Waiting, status: int) -> None:
    server = serve(says({}, status))
    sender.hold(hive(server.url, "one", "two").submit(SUBMISSION))
    assert keys_seen(server.received) == ["one"]


def test_a_second_try_that_loses_its_answer_may_have_been_accepted(serve: Serve, sender: Waiting) -> None:
    server = serve(says({}, 401), reset)
    assert isinstance(sender.hold(hive(server.url, "one", "two").submit(SUBMISSION)), Unknown)


def test_without_a_key_nothing_is_sent(serve: Serve, sender: Waiting) -> None:
    server = serve(says({"task_id": "t-1"}))
    outcome = sender.hold(HiveV2(server.url, ()).submit(SUBMISSION))
    assert outcome == Held("key_refused", "HIVEBATCH_HIVE_KEY is not set.", needs_operator=True)
    assert server.received == []


def test_submits_side_by_side_share_the_key_that_works(serve: Serve, sender: Waiting) -> None:
    server = serve(says({}, 401), says({"task_id": "t-1"}))
    provider = hive(server.url, "old", "new")
    sender.hold(provider.submit(SUBMISSION))
    outcomes = [future.result(5) for future in [sender.start(provider.submit(SUBMISSION)) for _ in range(4)]]
    assert outcomes == [Accepted("t-1", 200)] * 4
    assert keys_seen(server.received).count("old") == 1
