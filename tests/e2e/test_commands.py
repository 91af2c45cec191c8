"""`hivebatch submit`, `watch` and `results`, as people use them beside a running service."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import hivebatch
from tests.e2e.processes import Processes, Up


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


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test runs in an empty directory, without settings in its environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("HIVEBATCH_")]:
        monkeypatch.delenv(name)


def run(up: Up, *arguments: str, **variables: str) -> Result:
    """A client command with the URL and the key of the service; `exit_code`, `stdout` and `stderr` tell the rest."""
    given = {"HIVEBATCH_URL": up.url, "HIVEBATCH_API_KEY": up.key} | variables
    result = CliRunner(env=given).invoke(hivebatch, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_a_file_is_submitted_watched_and_its_results_fetched(up: Up, jobs: Path, tmp_path: Path) -> None:
    submitted = run(up, "submit", str(jobs), "--name", "rivers")
    assert submitted.exit_code == 0, submitted.stderr
    batch_id = submitted.stdout.strip()
    watched = run(up, "watch", batch_id)
    assert (watched.exit_code, watched.stdout) == (0, "5 completed, 0 failed, 0 retried, 0 late, 0 duplicates\n")
    assert "\x1b" not in watched.stderr
    assert up.batch(batch_id)["name"] == "rivers"
    assert run(up, "results", batch_id, "-o", "answers.jsonl").stderr == ""
    printed = run(up, "results", batch_id).stdout
    assert printed == (tmp_path / "answers.jsonl").read_text()
    assert [json.loads(line)["custom_id"] for line in printed.splitlines()] == ["0", "1", "2", "3", "4"]


def test_submit_can_watch_at_once_and_fails_with_a_job(up: Up, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"custom_id": "1", "text_data": "Hello [[sandbox status=400]]"}\n')
    submitted = run(up, "submit", "bad.jsonl", "--watch")
    assert submitted.exit_code == 1
    assert re.fullmatch(r"batch_\w+\n0 completed, 1 failed, 0 retried, 0 late, 0 duplicates\n", submitted.stdout)


def test_the_same_idempotency_key_gives_the_same_batch(up: Up, jobs: Path, tmp_path: Path) -> None:
    ids = [run(up, "submit", str(jobs), "--idempotency-key", "k1").stdout for _ in range(2)]
    assert ids[0] == ids[1]
    assert ids[0].startswith("batch_")


def test_every_bad_line_is_named_with_its_number(up: Up, tmp_path: Path) -> None:
    lines = [
        '{"custom_id": "1", "text_data": "Hello"}',
        '{"custom_id": "2"}',
        "{",
        '{"custom_id": "1", "text_data": "x"}',
    ]
    (tmp_path / "bad.jsonl").write_text("\n".join(lines))
    submitted = run(up, "submit", "bad.jsonl")
    assert submitted.exit_code == 1
    assert submitted.stdout == ""
    assert "400 Bad Request" in submitted.stderr
    for place in ("line 2, /text_data: Required field is missing", "line 3: ", "line 4, /custom_id: "):
        assert place in submitted.stderr


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
    up: Up, tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str], told: str
) -> None:
    result = run(up, *arguments, **variables)
    assert result.exit_code == 1
    assert told in result.stderr


def test_results_of_a_failed_fetch_leave_the_old_file_alone(up: Up, tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text("old\n")
    assert run(up, "results", "batch_0", "-o", "answers.jsonl").exit_code == 1
    assert (tmp_path / "answers.jsonl").read_text() == "old\n"
    assert not list(tmp_path.glob(".*"))


def test_the_key_of_the_data_directory_is_found(
    up: Up, jobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = ("submit", str(jobs), "--url", up.url)
    elsewhere = CliRunner().invoke(hivebatch, submit)
    assert elsewhere.exit_code == 2
    assert "no API key" in elsewhere.stderr
    assert not (tmp_path / "var").exists()
    monkeypatch.chdir(up.process.folder)
    found = CliRunner().invoke(hivebatch, submit)
    assert found.exit_code == 0, found.stderr


def test_a_batch_is_archived_as_files_that_prove_themselves_and_then_removed(
    up: Up, jobs: Path, tmp_path: Path
) -> None:
    batch_id = run(up, "submit", str(jobs)).stdout.strip()
    run(up, "watch", batch_id)
    told = run(up, "results", batch_id).stdout
    kept = run(up, "archive", batch_id, "kept")
    assert kept.exit_code == 0, kept.stderr
    assert up.batch(batch_id)["status"] == "completed"
    removed = run(up, "archive", batch_id, "kept", "--delete")
    assert removed.stdout.endswith(f"{batch_id} is removed from the service.\n"), removed.stderr
    assert up.request("GET", f"/api/batches/{batch_id}").status_code == 404
    results, manifest = (tmp_path / "kept" / f"{batch_id}.{name}.jsonl" for name in ("results", "manifest"))
    assert results.read_text() == told
    assert run(up, "verify", str(manifest), "--results", str(results)).exit_code == 0
    results.write_text(told.replace("river", "brook"))
    assert run(up, "verify", str(manifest), "--results", str(results)).exit_code == 1


def test_a_batch_with_open_jobs_is_not_archived(up: Up, tmp_path: Path) -> None:
    batch_id = up.submit({str(number): "Name a river." for number in range(3000)})
    refused = run(up, "archive", batch_id, "kept", "--delete")
    assert refused.exit_code == 1
    assert "has open jobs; nothing was written or removed" in refused.stderr
    assert not (tmp_path / "kept").exists()
    assert up.request("POST", f"/api/batches/{batch_id}/cancel").status_code == 200
