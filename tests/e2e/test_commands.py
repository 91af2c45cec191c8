"""`hivebatch submit`, `watch` and `results`, as people use them beside a running service."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import Process, Processes, Up

SECONDS = 40.0


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A service with a sandbox that does everything right."""
    with Processes() as processes:
        yield processes.up(tmp_path_factory.mktemp("service"), "--sandbox", "--profile", "calm", "--port", "0")


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.jsonl"
    path.write_text("".join(f'{{"custom_id": "{n}", "text_data": "Name {n} rivers."}}\n' for n in range(5)))
    return path


def run(processes: Processes, up: Up, folder: Path, *arguments: str, **variables: str) -> Process:
    """A client command, ended; its `stdout` and `stderr` can be read."""
    given = {"HIVEBATCH_URL": up.url, "HIVEBATCH_API_KEY": up.key} | variables
    process = processes.hivebatch(*arguments, folder=folder, name=arguments[0], **given)
    process.wait(SECONDS)
    return process


def test_a_file_is_submitted_watched_and_its_results_fetched(
    processes: Processes, up: Up, jobs: Path, tmp_path: Path
) -> None:
    submitted = run(processes, up, tmp_path, "submit", str(jobs), "--name", "rivers")
    assert submitted.wait(0) == 0, submitted.stderr
    batch_id = submitted.stdout.strip()
    watched = run(processes, up, tmp_path, "watch", batch_id)
    assert (watched.wait(0), watched.stdout) == (0, "5 completed, 0 failed, 0 retried, 0 late, 0 duplicates\n")
    assert "\x1b" not in watched.stderr
    assert up.batch(batch_id)["name"] == "rivers"
    assert run(processes, up, tmp_path, "results", batch_id, "-o", "answers.jsonl").stderr == ""
    printed = run(processes, up, tmp_path, "results", batch_id).stdout
    assert printed == (tmp_path / "answers.jsonl").read_text()
    assert [json.loads(line)["custom_id"] for line in printed.splitlines()] == ["0", "1", "2", "3", "4"]


def test_submit_can_watch_at_once_and_fails_with_a_job(processes: Processes, up: Up, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"custom_id": "1", "text_data": "Hello [[sandbox status=400]]"}\n')
    submitted = run(processes, up, tmp_path, "submit", "bad.jsonl", "--watch")
    assert submitted.wait(0) == 1
    assert re.fullmatch(r"batch_\w+\n0 completed, 1 failed, 0 retried, 0 late, 0 duplicates\n", submitted.stdout)


def test_the_same_idempotency_key_gives_the_same_batch(
    processes: Processes, up: Up, jobs: Path, tmp_path: Path
) -> None:
    ids = [run(processes, up, tmp_path, "submit", str(jobs), "--idempotency-key", "k1").stdout for _ in range(2)]
    assert ids[0] == ids[1]
    assert ids[0].startswith("batch_")


def test_every_bad_line_is_named_with_its_number(processes: Processes, up: Up, tmp_path: Path) -> None:
    lines = [
        '{"custom_id": "1", "text_data": "Hello"}',
        '{"custom_id": "2"}',
        "{",
        '{"custom_id": "1", "text_data": "x"}',
    ]
    (tmp_path / "bad.jsonl").write_text("\n".join(lines))
    submitted = run(processes, up, tmp_path, "submit", "bad.jsonl")
    assert submitted.wait(0) == 1
    assert submitted.stdout == ""
    assert "400 Bad Request" in submitted.stderr
    for place in ("line 2, /text_data: Required field is missing", "line 3: ", "line 4, /custom_id: "):
        assert place in submitted.stderr
    assert "Traceback" not in submitted.stderr


@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [
        (("watch", "batch_0"), {}, "404 Not Found: No batch found with id 'batch_0'."),
        (("results", "batch_0"), {}, "404 Not Found"),
        (("watch", "batch_0"), {"HIVEBATCH_API_KEY": "wrong"}, "401 Unauthorized"),
        (("watch", "batch_0"), {"HIVEBATCH_URL": "http://127.0.0.1:1"}, "http://127.0.0.1:1 does not answer"),
        (("watch", "batch_0"), {"HIVEBATCH_URL": "elsewhere"}, "elsewhere does not answer"),
    ],
)
def test_what_the_service_refuses_is_told_in_a_line(
    processes: Processes, up: Up, tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str], told: str
) -> None:
    process = run(processes, up, tmp_path, *arguments, **variables)
    assert process.wait(0) == 1
    assert told in process.stderr
    assert "Traceback" not in process.stderr


def test_results_of_a_failed_fetch_leave_the_old_file_alone(processes: Processes, up: Up, tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text("old\n")
    assert run(processes, up, tmp_path, "results", "batch_0", "-o", "answers.jsonl").wait(0) == 1
    assert (tmp_path / "answers.jsonl").read_text() == "old\n"
    assert not list(tmp_path.glob(".*"))


def test_the_key_of_the_data_directory_is_found(processes: Processes, up: Up, jobs: Path) -> None:
    submit = ("submit", str(jobs), "--url", up.url)
    found = processes.hivebatch(*submit, folder=up.process.folder, name="found")
    assert found.wait(SECONDS) == 0, found.stderr
    elsewhere = processes.hivebatch(*submit, folder=jobs.parent)
    assert elsewhere.wait(SECONDS) == 2
    assert "no API key" in elsewhere.stderr
    assert not (jobs.parent / "var").exists()
