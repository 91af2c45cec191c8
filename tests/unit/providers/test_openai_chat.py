"""V3 and servers like it: one exchange, and what its answer means for the job."""

import json
from typing import Any

import pytest

from app.providers.base import Answer, Answered, Failure, Held, Rejected, Submission, SubmitOutcome, Unknown
from app.providers.dialogues import Dialogue, NoAnswer, NotSent, Request, Response
from app.providers.openai_chat import OpenAIChat

MODELS = ("meta-llama/llama-3.2-1b-instruct", "hive/vision-language-model")
WHOLE = b'{"id": "c-1", "choices": [{"message": {"content": "Nile"}, "finish_reason": "stop"}]}'


def provider(*keys: str, streams: bool = False, is_hive: bool = True) -> OpenAIChat:
    return OpenAIChat("v3", "http://127.0.0.1:9/api/v3", keys or ("k1",), MODELS, streams=streams, is_hive=is_hive)


def submission(**options: object) -> Submission:
    return Submission("List three rivers", options, "http://127.0.0.1:8000/callbacks/hive/t", "job_1")


def hold(
    dialogue: Dialogue[SubmitOutcome], *heard: Response | NotSent | NoAnswer
) -> tuple[list[Request], SubmitOutcome]:
    """Answer each request of a dialogue in turn; what it asked, and what came of it."""
    asked = [next(dialogue)]
    for each in heard:
        try:
            asked.append(dialogue.send(each) if isinstance(each, Response) else dialogue.throw(each))
        except StopIteration as end:
            return asked, end.value
    raise AssertionError("it asks for more")


def said(status: int, body: bytes = b"{}", **headers: str) -> Response:
    return Response(status, headers, body)


def sent(dialogue: Dialogue[SubmitOutcome]) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(next(dialogue).body or b"")
    return fields


def test_a_submit_is_a_chat_with_the_key_as_a_bearer() -> None:
    options = {"system_prompt": "Be brief", "max_tokens": 64, "temperature": 0}
    [request], outcome = hold(provider().submit(submission(**options)), said(200, WHOLE))
    assert request.url == "http://127.0.0.1:9/api/v3/chat/completions"
    assert request.headers["Authorization"] == "Bearer k1"
    assert json.loads(request.body or b"") == {
        "model": MODELS[0],
        "messages": [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "List three rivers"}],
        "max_tokens": 64,
        "temperature": 0,
    }
    assert isinstance(outcome, Answered)
    assert (outcome.body, outcome.http_status) == (WHOLE, 200)
    assert isinstance(outcome.reading, Answer)
    assert outcome.reading.text == "Nile"


def test_a_job_may_name_its_model() -> None:
    assert sent(provider().submit(submission(model=MODELS[1])))["model"] == MODELS[1]


def test_a_model_of_another_provider_gives_way_to_the_first() -> None:
    assert sent(provider().submit(submission(model="other")))["model"] == MODELS[0]


def test_what_v2_has_no_word_for_is_sent_as_it_came() -> None:
    chat = {"response_format": {"type": "json_object"}, "max_completion_tokens": 5}
    assert sent(provider(is_hive=False).submit(submission(chat=chat)))["max_completion_tokens"] == 5
    fields = sent(provider().submit(submission(chat=chat)))
    assert fields["response_format"] == {"type": "json_object"}
    assert (fields["max_tokens"], "max_completion_tokens" in fields) == (5, False)


def test_a_streaming_server_is_asked_for_a_stream() -> None:
    assert sent(provider(streams=True).submit(submission()))["stream"] is True
    fields = sent(provider(streams=True, is_hive=False).submit(submission()))
    assert fields["stream_options"] == {"include_usage": True}


def test_a_stream_is_an_answer_whether_or_not_it_was_asked_for() -> None:
    body = b'data: {"choices": [{"delta": {"content": "Nile"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    _, outcome = hold(provider().submit(submission()), said(200, body))
    assert isinstance(outcome, Answered)
    assert isinstance(outcome.reading, Answer)


def test_the_second_key_is_tried_once_and_remembered() -> None:
    chat = provider("k1", "k2")
    asked, outcome = hold(chat.submit(submission()), said(401), said(200, WHOLE))
    assert [request.headers["Authorization"] for request in asked] == ["Bearer k1", "Bearer k2"]
    assert isinstance(outcome, Answered)
    assert next(chat.submit(submission())).headers["Authorization"] == "Bearer k2"


def test_a_server_without_keys_is_sent_none() -> None:
    chat = OpenAIChat("local", "http://127.0.0.1:9/v1", (), ("m",), streams=False, is_hive=False)
    assert "Authorization" not in next(chat.submit(submission())).headers


@pytest.mark.parametrize("status", [401, 402, 403, 405])
def test_a_key_or_an_account_at_fault_holds_v3(status: int) -> None:
    _, outcome = hold(provider().submit(submission()), said(status, b'{"error": {"message": "no credit"}}'))
    assert outcome == Held("key_refused", f"HTTP {status}: no credit", needs_operator=True, http_status=status)


def test_405_elsewhere_is_the_jobs_fault() -> None:
    _, outcome = hold(provider(is_hive=False).submit(submission()), said(405))
    assert isinstance(outcome, Rejected)


def test_too_many_requests_hold_the_provider() -> None:
    _, outcome = hold(provider().submit(submission()), said(429, **{"Retry-After": "7"}))
    assert isinstance(outcome, Held)
    assert (outcome.reason, outcome.retry_after_seconds) == ("rate_limited", 7.0)


@pytest.mark.parametrize(
    "body", [b'{"error": {"message": "no such model"}}', b'{"return_code": 404, "message": "no such model"}']
)
def test_an_error_is_read_in_every_form(body: bytes) -> None:
    _, outcome = hold(provider().submit(submission()), said(404, body))
    assert outcome == Rejected("http_404", "HTTP 404: no such model", 404)


def test_a_return_code_in_a_success_counts_as_that_status() -> None:
    _, outcome = hold(provider().submit(submission()), said(200, b'{"return_code": 402, "message": "no credit"}'))
    assert isinstance(outcome, Held)
    assert outcome.reason == "key_refused"


@pytest.mark.parametrize("status", [408, 500, 503])
def test_a_fault_of_the_server_is_an_unknown_outcome(status: int) -> None:
    _, outcome = hold(provider().submit(submission()), said(status))
    assert isinstance(outcome, Unknown)


def test_an_answer_that_nobody_can_read_is_unknown_and_handed_on_to_be_kept() -> None:
    _, outcome = hold(provider().submit(submission()), said(200, WHOLE[:30]))
    assert isinstance(outcome, Unknown)
    assert (outcome.code, outcome.http_status, outcome.body) == ("unreadable_answer", 200, WHOLE[:30])


def test_a_failed_task_is_an_answer_too() -> None:
    _, outcome = hold(provider().submit(submission()), said(200, b'{"error": {"message": "overloaded"}}'))
    assert isinstance(outcome, Answered)
    assert isinstance(outcome.reading, Failure)


def test_what_was_not_sent_holds_and_what_was_not_answered_is_unknown() -> None:
    _, outcome = hold(provider().submit(submission()), NotSent("no route"))
    assert isinstance(outcome, Held)
    _, outcome = hold(provider().submit(submission()), NoAnswer("timed_out", "timed out"))
    assert outcome == Unknown("timed_out", "timed out")
