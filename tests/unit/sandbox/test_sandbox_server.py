"""The server: connections kept, connections ended, threads that go away."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import pytest
import requests

from app.sandbox import Sandbox, SandboxConfig
from app.sandbox.server import SandboxServer
from app.sandbox.submissions import Submission
from tests.unit.sandbox.served import Client, Serve


def own_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if "sandbox" in thread.name or "process_req" in thread.name}


def hammer(client: Client, connections: int, requests_each: int) -> list[int]:
    """Submits over `connections` kept-alive connections at the same time; the statuses."""

    def work(worker: int) -> list[int]:
        with requests.Session() as session:
            session.trust_env = False
            url, headers = client.server.url + "/api/v2/task/async", client.headers
            bodies = (
                {"text_data": f"{worker}/{number}", "callback_url": client.receiver.url}
                for number in range(requests_each)
            )
            return [session.post(url, json=body, headers=headers, timeout=30).status_code for body in bodies]

    with ThreadPoolExecutor(connections) as pool:
        return [status for statuses in pool.map(work, range(connections)) for status in statuses]


def test_a_connection_serves_several_requests(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.server.port)) as connection:
        reader = connection.makefile("rb")
        for _ in range(2):
            connection.sendall(b"POST /sandbox/reset HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
            assert reader.readline() == b"HTTP/1.1 200 OK\r\n"
            headers = list(iter(reader.readline, b"\r\n"))
            assert b"Connection: close\r\n" not in headers
            reader.read(next(int(line.split()[1]) for line in headers if line.startswith(b"Content-Length")))
        reader.close()


def test_a_chunked_body_is_read(client: Client) -> None:
    chunks = iter([b'{"text_data": ', b'"hello"}'])
    assert client.call("POST", "/api/v2/task/sync", data=chunks).status_code == 200


def test_a_thousand_requests_on_fifty_connections_leave_no_thread_behind(serve: Serve) -> None:
    client = serve(callback_workers=8)
    assert set(hammer(client, connections=50, requests_each=20)) == {200}
    totals = client.ledger()["totals"]
    assert (totals["accepted"], totals["callbacks"]) == (1000, 1000)
    workers = [name for name in own_threads() if name.startswith("sandbox-callback")]
    assert len(workers) <= 8
    client.server.stop()
    assert own_threads() == set()


def test_a_concurrent_run_draws_what_a_serial_run_draws(serve: Serve) -> None:
    def faults(connections: int) -> dict[str, list[str]]:
        client = serve()
        client.call("PUT", "/sandbox/profile", json={"weights": {"lost": 0.2, "duplicate": 0.2, "status=503": 0.2}})
        hammer_prompts(client, connections)
        page = client.ledger()
        return {entry["prompt_sha256"]: entry["faults"] for entry in page["entries"] + page["refused"]}

    def hammer_prompts(client: Client, connections: int) -> None:
        with ThreadPoolExecutor(connections) as pool:
            list(pool.map(client.submit, [f"p{number}" for number in range(60)]))

    serial, concurrent = faults(1), faults(12)
    assert serial == concurrent
    assert len({tuple(words) for words in serial.values()}) == 4


def test_stop_does_not_wait_for_callbacks_that_are_not_due(serve: Serve) -> None:
    client = serve()
    client.submit("x [[sandbox delay=600]]")
    client.server.stop()
    assert own_threads() == set()
    assert client.receiver.count == 0


@pytest.mark.parametrize("words", ["before_ack delay=600", "ack_delay=600"])
def test_stop_ends_a_submit_that_waits(serve: Serve, words: str) -> None:
    client = serve()
    with ThreadPoolExecutor(1) as pool:
        submit = pool.submit(client.submit, f"x [[sandbox {words}]]")
        wait_for_entry(client)
        client.server.stop()
        assert submit.exception() is not None or submit.result().status_code == 200
    assert own_threads() == set()


def wait_for_entry(client: Client) -> None:
    """Returns once the submit is booked; every look is a request of its own, so this does not spin."""
    while client.call("GET", "/sandbox/ledger").json()["totals"]["accepted"] == 0:
        pass


def test_stop_ends_idle_connections(client: Client) -> None:
    with requests.Session() as session:
        session.trust_env = False
        assert session.post(client.server.url + "/sandbox/reset").status_code == 200
        client.server.stop()
        assert own_threads() == set()


def test_stop_can_be_called_twice_and_before_start() -> None:
    server = SandboxServer(SandboxConfig())
    server.stop()
    server.stop()
    server.start()
    with pytest.raises(OSError, match=r".*"), socket.create_connection(("127.0.0.1", server.port), timeout=1):
        pass


def test_a_callback_after_the_end_is_dropped_and_not_waited_for() -> None:
    sandbox = Sandbox(SandboxConfig(profile="calm"))
    sandbox.close()
    answer = sandbox.submit(Submission("x [[sandbox before_ack]]", "http://127.0.0.1:1/", None, None))
    assert answer.status == 200
    assert sandbox.settle(0)


def test_serve_forever_ends_with_stop() -> None:
    server = SandboxServer()
    foreground = Thread(target=server.serve_forever)
    foreground.start()
    with socket.create_connection(("127.0.0.1", server.port)):
        server.stop()
    foreground.join(10)
    assert not foreground.is_alive()


def test_two_servers_take_two_ports() -> None:
    with SandboxServer() as first, SandboxServer() as second:
        assert first.port != second.port
        assert second.url == f"http://127.0.0.1:{second.port}"
