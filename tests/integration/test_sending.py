"""Submission over the wire: jobs go to a server of HTTP through each of the senders."""

import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.providers.dialogues import Dialogue
from app.providers.hive_v2 import HiveV2
from app.runtime import Runtime
from tests.conftest import MakeRuntime
from tests.factories import PROVIDER, attempt_states, counts, drain, held, job, states, submit
from tests.senders import SENDERS, skip_if_missing
from tests.unit.providers.conftest import Serve, serve
from tests.unit.providers.servers import Act, Line, Server, in_turn, reset, says, wait_for

__all__ = ["serve"]

MakeSending = Callable[..., Runtime]


@pytest.fixture(params=SENDERS)
def make_sending(request: pytest.FixtureRequest, make_runtime: MakeRuntime) -> MakeSending:
    """Makes a runtime that submits to this server, by each of the senders."""
    skip_if_missing(request.param)

    def make(server: Server, **settings: object) -> Runtime:
        runtime = make_runtime(sender=request.param, **{"max_in_flight": 1000, **settings})
        return replace(runtime, providers={PROVIDER: HiveV2(server.url, ("key",))})

    return make


def text_of(body: bytes) -> str:
    text: str = json.loads(body)["text_data"]
    return text


def noting(word: str) -> Dialogue[str]:
    return word
    yield


def accepts(line: Line) -> None:
    says({"task_id": f"task-{os.urandom(8).hex()}"})(line)


def test_each_job_is_submitted_once_over_no_more_connections_than_allowed(
    serve: Serve, make_sending: MakeSending
) -> None:
    server = serve(accepts)
    runtime = make_sending(server, connections=3)
    batch_id = submit(runtime, *map(str, range(40)))
    drain(runtime)
    assert counts(runtime, batch_id) == {"waiting": 40}
    assert sorted(int(text_of(received.body)) for received in server.received) == list(range(40))
    assert 1 <= server.connections <= 3


def test_a_provider_that_says_stop_gets_nothing_of_what_was_claimed_ahead(
    serve: Serve, make_sending: MakeSending
) -> None:
    server = serve(says({}, 429, Retry_After="100"))
    runtime = make_sending(server, connections=1, rate_per_second=20.0)
    batch_id = submit(runtime, *map(str, range(10)))
    drain(runtime)
    assert len(server.received) == 1
    assert states(runtime, batch_id) == ["queued"] * 10
    assert [hold.reason for hold in held(runtime)] == ["rate_limited"]


def test_a_process_that_ends_hands_back_at_once_what_waits_for_its_slot(
    serve: Serve, make_sending: MakeSending
) -> None:
    came, runtimes = threading.Event(), list[Runtime]()

    def end_the_process(line: Line) -> None:
        runtimes[0].stopping.set()
        came.set()
        accepts(line)

    server = serve(end_the_process)
    runtimes.append(make_sending(server, rate_per_second=4.0))
    batch_id = submit(runtimes[0], "a", "b", "c")
    drain(runtimes[0])
    assert states(runtimes[0], batch_id) == ["waiting", "queued", "queued"]
    assert [attempt_states(job(runtimes[0], batch_id, f"job-{n}")) for n in (1, 2)] == [["refused"]] * 2
    assert len(server.received) == 1


def test_jobs_that_wait_for_their_slots_keep_no_connection_from_others(serve: Serve, make_sending: MakeSending) -> None:
    runtime = make_sending(serve(accepts), connections=1)
    late = runtime.sending["hive_v2"].start(noting("late"), 60.0)
    batch_id = submit(runtime, "a")
    drain(runtime)
    assert states(runtime, batch_id) == ["waiting"]
    assert late.cancel()


def test_one_slow_answer_keeps_no_other_job_waiting(serve: Serve, make_sending: MakeSending) -> None:
    may_answer, others = threading.Event(), threading.Semaphore(0)

    def answer(line: Line) -> None:
        accepts(line)
        others.release()

    slowly: Act = in_turn(wait_for(may_answer), accepts)
    server = serve(slowly, answer)
    runtime = make_sending(server, connections=2)
    batch_id = submit(runtime, *map(str, range(20)))
    with ThreadPoolExecutor(1) as worker:
        draining = worker.submit(drain, runtime)
        assert all(others.acquire(timeout=20) for _ in range(19))
        may_answer.set()
        draining.result(20)
    assert counts(runtime, batch_id) == {"waiting": 20}


def test_a_submit_without_an_answer_is_unknown_and_not_sent_again(serve: Serve, make_sending: MakeSending) -> None:
    server = serve(accepts, reset, accepts)
    runtime = make_sending(server, connections=1)
    batch_id = submit(runtime, "a", "b", "c")
    drain(runtime)
    found = [attempt_states(job(runtime, batch_id, f"job-{n}")) for n in range(3)]
    assert sorted(found) == [["unknown"], ["waiting"], ["waiting"]]
    assert len(server.received) == 3
