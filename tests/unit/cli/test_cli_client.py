"""The client's words for what it meets, and what it sends, against a server of a few canned answers."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import click
import pytest

from app.cli.client import Batch, Client, Unreachable

BATCH = {
    "id": "batch_1",
    "status": "completed",
    "total": 2,
    "counts": {"queued": 0, "submitting": 0, "waiting": 0, "completed": 1, "failed": 1, "cancelled": 0},
    "retries": 3,
    "late": 2,
    "duplicates": 1,
    "cost": "0.0001",
    "finalized_at": "2026-03-01T12:00:00Z",
    "expected_end": None,
    "a_field_of_the_future": 1,
}


@dataclass
class Canned:
    """One answer for every request, and the requests that came."""

    status: int
    body: bytes
    url: str = ""
    heard: list[tuple[str, Message, bytes]] = field(default_factory=list)


@contextmanager
def serving(status: int, body: object) -> Iterator[Canned]:
    canned = Canned(status, body if isinstance(body, bytes) else json.dumps(body).encode())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            canned.heard.append((f"{self.command} {self.path}", self.headers, self.rfile.read(size)))
            self.send_response(canned.status)
            self.send_header("Content-Length", str(len(canned.body)))
            self.end_headers()
            self.wfile.write(canned.body)

        do_POST = do_GET  # noqa: N815 - the name is the base class's

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        canned.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield canned
        finally:
            server.shutdown()
            thread.join()


def complaint(status: int, body: object) -> str:
    """What a person is told when the service answers so."""
    with serving(status, body) as canned, Client(canned.url, "key") as client, pytest.raises(click.ClickException) as e:
        client.batch("batch_1")
    return e.value.message


def test_a_batch_is_read_and_fields_of_the_future_are_ignored() -> None:
    with serving(200, BATCH) as canned, Client(canned.url, "key") as client:
        batch = client.batch("batch_1")
    assert (batch.id, batch.counts["completed"], str(batch.cost)) == ("batch_1", 1, "0.0001")
    assert batch.is_final
    assert not batch.is_all_completed


def test_a_batch_with_an_open_job_is_not_final() -> None:
    assert not Batch.of(BATCH | {"finalized_at": None}).is_final


def test_an_id_can_not_lead_to_another_path() -> None:
    with serving(200, BATCH) as canned, Client(canned.url, "key") as client:
        client.batch("../x?y")
    assert canned.heard[0][0] == "GET /api/batches/..%2Fx%3Fy"


def test_the_key_is_sent_even_where_a_netrc_has_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(200, BATCH) as canned, Client(canned.url, "key") as client:
        client.batch("batch_1")
    assert canned.heard[0][1]["Authorization"] == "Bearer key"


def test_a_file_is_sent_as_ndjson_with_its_name_in_the_query(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    path.write_bytes(b'{"custom_id": "1"}\n')
    with serving(201, BATCH) as canned, Client(canned.url, "key") as client, path.open("rb") as file:
        assert client.submit(file, "two words", "k1").id == "batch_1"
    request, headers, body = canned.heard[0]
    assert request == "POST /api/batches?name=two+words"
    assert (headers["Content-Type"], headers["Idempotency-Key"]) == ("application/x-ndjson", "k1")
    assert body == b'{"custom_id": "1"}\n'


def test_a_problem_is_told_with_place_limit_and_value_and_how_many_are_left_out() -> None:
    errors = [
        {"message": "Too large", "line": 3, "pointer": "/options/max_tokens", "limit": 2048.0, "value": 4096},
        {"message": "Query parameter 'name': Too long", "limit": 0.5},
        {"message": "Something else"},
    ]
    problem = {"title": "Bad Request", "status": 400, "detail": "Too large", "errors": errors, "errors_total": 5}
    assert complaint(400, problem).splitlines() == [
        "400 Bad Request: Too large",
        "  line 3, /options/max_tokens: Too large (limit 2048, value 4096)",
        "  Query parameter 'name': Too long (limit 0.5)",
        "  Something else",
        "  and 2 more",
    ]


@pytest.mark.parametrize("body", [b"<h1>Bad gateway</h1>", b"[]", b'{"status": 502}', b"\xff"])
def test_an_error_that_is_no_problem_document_is_told_as_it_came(body: bytes) -> None:
    assert complaint(502, body).startswith("502 Bad Gateway: ")


def test_a_redirect_is_not_followed() -> None:
    assert complaint(302, b"moved").startswith("302 Found: moved")


def test_an_answer_that_is_cut_off_is_an_error_to_read() -> None:
    with (
        serving(200, b'{"id": "batch_1"') as canned,
        Client(canned.url, "key") as client,
        pytest.raises(Unreachable, match="does not answer as it should"),
    ):
        client.batch("batch_1")
