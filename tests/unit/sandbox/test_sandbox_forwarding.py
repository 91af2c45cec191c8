"""Answers that a real server writes, here another sandbox: they come through the same faults."""

from app.sandbox.config import SandboxConfig
from app.sandbox.results import answer_for
from app.sandbox.submissions import read_submission
from tests.unit.sandbox.served import Client, Serve

MODEL = "meta-llama/llama-3.1-8b-instruct"
SILENT = "x [[sandbox null_content]]"  # the real server has no text for it; V2's shapes know no such word


def forwarding(serve: Serve, real: Client, **settings: object) -> Client:
    url = f"{real.server.url}/api/v3"
    return serve(forward_to=url, forward_model=MODEL, forward_key="k", **settings)


def text_of(body: dict[str, object]) -> str:
    [entry] = body["status"]  # type: ignore[misc]  # the shape of a result
    text: str = entry["response"]["output"][0]["choices"][0]["message"]["content"]
    return text


def test_the_real_server_writes_the_answers_of_v2(serve: Serve) -> None:
    real = serve()
    client = forwarding(serve, real)
    client.submit(SILENT)
    client.submit("List three rivers", options={"system_prompt": "Be brief"})
    texts = {text_of(body) for body in client.receiver.wait(2)}
    assert texts == {"", answer_for("List three rivers", "Be brief")}
    assert real.ledger()["totals"]["accepted"] == 2


def test_the_real_server_writes_the_answers_of_v3(serve: Serve) -> None:
    real = serve()
    client = forwarding(serve, real)
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    answered = client.call("POST", "/api/v3/chat/completions", json=body, headers={"Authorization": "Bearer k"})
    assert answer_for("hi", None).split()[0] in answered.text
    assert answered.headers["Content-Type"].startswith("text/event-stream")
    assert real.ledger()["totals"]["accepted"] == 1


def test_a_repeat_and_a_look_up_pay_the_real_server_once(serve: Serve) -> None:
    real = serve()
    client = forwarding(serve, real)
    task_id = client.submit("x [[sandbox resent]]").json()["task_id"]
    client.receiver.wait(2)
    assert client.look_up(task_id).status_code == 200
    assert real.ledger()["totals"]["requests"] == 1


def test_what_is_lost_is_not_forwarded(serve: Serve) -> None:
    real = serve()
    client = forwarding(serve, real)
    client.submit("x [[sandbox lost]]")
    client.ledger()
    assert real.ledger()["totals"]["requests"] == 0


def test_a_real_server_that_refuses_is_a_failed_task(serve: Serve) -> None:
    real = serve(keys=frozenset())
    client = forwarding(serve, real)
    client.submit()
    [body] = client.receiver.wait(1)
    assert body["status"][0]["status"]["code"] == "not_forwarded"
    [entry] = client.ledger()["entries"]
    assert entry["result"] == "failed"


def test_a_submit_is_forwarded_as_the_chat_that_it_is() -> None:
    history = [{"role": "Ann", "content": "hi"}, {"role": "Bot", "content": "hello"}]
    options = {"prompt_history": history, "roles": {"user": "Ann", "model": "Bot"}, "temperature": 0}
    submission = read_submission({"text_data": "go on", "options": options}, SandboxConfig(), is_sync=True)
    messages = [("user", "hi"), ("assistant", "hello"), ("user", "go on")]
    assert submission.chat == {
        "messages": [{"role": role, "content": content} for role, content in messages],
        "temperature": 0,
    }


def test_the_real_servers_key_is_not_shown() -> None:
    assert "canary" not in repr(SandboxConfig(forward_key="canary"))
