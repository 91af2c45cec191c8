"""A batch of OpenAI's largest size: all of it arrives, and nobody ever holds it whole."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.processes import Processes, Up
from tests.integration.openai_client import ENDPOINT, as_file, line

LINES = 50_000
LINE_BYTES = 3_990
MAY_GROW_BYTES = 60_000_000
"""Less than a third of the file; what a thread and the database's cache keep of a large request is in it."""


def peak_bytes(up: Up) -> int:
    """The most memory that the service ever had."""
    status = Path(f"/proc/{up.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


@pytest.fixture
def input_file(tmp_path: Path) -> Path:
    path = tmp_path / "input.jsonl"
    with path.open("wb") as stream:
        for number in range(LINES):
            start = json.dumps(line(f"line-{number}", "x")).encode()
            text = f"river {number} " + "x" * (LINE_BYTES - len(start) - len(f"river {number} "))
            stream.write(json.dumps(line(f"line-{number}", text)).encode() + b"\n")
    assert 195_000_000 < path.stat().st_size <= 200_000_000
    return path


def upload(up: Up, content: Iterable[bytes]) -> str:
    """Send a file as a client does that doesn't hold it whole either, and doesn't know how long it is."""
    start = (
        b'--cut\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--cut\r\n'
        b'Content-Disposition: form-data; name="file"; filename="input.jsonl"\r\n\r\n'
    )
    end = b"\r\n--cut--\r\n"

    def body() -> Iterator[bytes]:
        yield start
        yield from content
        yield end

    headers = {"Authorization": f"Bearer {up.key}", "Content-Type": "multipart/form-data; boundary=cut"}
    response = requests.post(f"{up.url}/v1/files", data=body(), headers=headers, timeout=300)
    assert response.status_code == 200, response.text
    return str(response.json()["id"])


def make(up: Up, file_id: str) -> str:
    said = {"input_file_id": file_id, "endpoint": ENDPOINT, "completion_window": "24h"}
    headers = {"Authorization": f"Bearer {up.key}"}
    response = requests.post(f"{up.url}/v1/batches", json=said, headers=headers, timeout=300)
    assert response.json()["status"] == "in_progress", response.text[:1000]
    return str(response.json()["id"])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_hundred_megabytes_in_fifty_thousand_lines_take_no_memory(
    processes: Processes, tmp_path: Path, input_file: Path
) -> None:
    up = processes.up(tmp_path, "--sandbox", "--profile", "calm", "--port", "0", HIVEBATCH_RATE_PER_SECOND="1")
    make(up, upload(up, [as_file([line("a")])]))
    before = peak_bytes(up)
    size = input_file.stat().st_size
    with input_file.open("rb") as stream:
        file_id = upload(up, iter(lambda: stream.read(1_000_000), b""))
    batch_id = make(up, file_id)
    assert peak_bytes(up) - before < MAY_GROW_BYTES
    assert up.request("GET", f"/v1/batches/{batch_id}").json()["request_counts"]["total"] == LINES
    with requests.get(
        f"{up.url}/v1/files/{file_id}/content",
        headers={"Authorization": f"Bearer {up.key}"},
        stream=True,
        timeout=300,
    ) as response:
        assert sum(map(len, response.iter_content(1_000_000))) == size
    key = {"Authorization": f"Bearer {up.key}"}
    cancelled = requests.post(f"{up.url}/v1/batches/{batch_id}/cancel", headers=key, timeout=300).json()
    assert cancelled["status"] in {"cancelling", "cancelled"}
    errors = f"{up.url}/v1/files/{cancelled['error_file_id']}"
    assert requests.get(errors, headers=key, timeout=300).json()["bytes"] > LINES * 100
    assert peak_bytes(up) - before < MAY_GROW_BYTES
