"""What the commands print and write."""

import io
import json
import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import click
import pytest

from app.cli import main
from app.cli.client import Batch
from app.cli.report import report
from app.cli.results import replacing
from app.cli.watch import expected, summary
from app.sandbox import answer_for

COUNTS = {"queued": 0, "submitting": 0, "waiting": 0, "completed": 2, "failed": 1, "cancelled": 0}
BATCH = Batch("batch_1", "completed", 3, COUNTS, 7, 3, 2, Decimal("0.00015"), "2026-03-01T12:00:00Z")
TOTALS = {"requests": 5, "accepted": 4, "faults": {"lost": 1, "status=503": 2, "reset": 1, "fail=5": 1}}


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    jobs = [
        {"custom_id": "plain", "text_data": "Hello\n  [bold]there[/bold]"},
        {"custom_id": "told", "text_data": "日本語", "options": {"system_prompt": "Be brief."}},
        {"custom_id": "failed", "text_data": "No"},
    ]
    path = tmp_path / "prompts.jsonl"
    path.write_text("\n\n".join(json.dumps(job) for job in jobs))
    return path


def results() -> bytes:
    lines = [
        {"custom_id": "plain", "attempts": 1, "text": answer_for("Hello\n  [bold]there[/bold]", None)},
        {"custom_id": "told", "attempts": 2, "text": answer_for("日本語", "Be brief."), "source": "read_back"},
        {"custom_id": "failed", "attempts": 3, "state": "failed"},
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def test_the_summary_is_one_line() -> None:
    assert summary(BATCH) == "2 completed, 1 failed, 7 retried, 3 late, 2 duplicates"


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (None, ""),
        (("2026-03-01T12:01:10.5Z", "2026-03-01T12:03:25Z"), "; done 12:01:10 to 12:03:25 UTC"),
        (("2026-03-01T23:59:00Z", "2026-03-02T00:01:00Z"), "; done 23:59:00 to 2026-03-02 00:01:00 UTC"),
    ],
)
def test_the_expected_end_is_a_range(end: tuple[str, str] | None, told: str) -> None:
    assert expected(replace(BATCH, expected_end=end and dict(zip(("from", "to"), end, strict=True)))) == told


def test_the_report_shows_first_results_numbers_and_faults(prompts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report(BATCH, results(), TOTALS, prompts, Path("answers.jsonl"))
    printed = capsys.readouterr().out
    assert "Hello [bold]there" in printed
    assert "日本語" in printed
    assert f"\n{summary(BATCH)}\ncost $0.00015; 1 answers were asked for, as no callback came\n" in printed
    assert "5 submits, 4 of them accepted; callbacks lost: 1, submits failed with 503: 2, other faults: 2." in printed
    assert "2 of 3 answers are those to their own prompts: see answers.jsonl." in printed


def test_the_report_survives_a_terminal_of_one_byte_letters(prompts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = io.BytesIO()
    terminal = io.TextIOWrapper(printed, encoding="latin-1")
    monkeypatch.setattr("sys.stdout", terminal)
    report(BATCH, results(), TOTALS, prompts, Path("answers.jsonl"))
    terminal.flush()
    assert b"2 of 3 answers" in printed.getvalue()


def test_a_file_is_replaced_when_all_of_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old")
    with replacing(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_stays_as_it_was_when_its_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old")
    with pytest.raises(ValueError, match="half way"), replacing(path):
        raise ValueError("half way")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with replacing(path) as file:
        file.write(b"new")
    assert os.read(reader, 10) == b"new"
    os.close(reader)
    assert path.is_fifo()


def test_a_directory_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(click.FileError, match="No such file") as caught, replacing(tmp_path / "nowhere" / "out"):
        pass
    assert "nowhere/out" in caught.value.format_message()


@pytest.mark.parametrize("arguments", [["keys", "list"], ["keys", "create", "alice"], ["holds", "list"]], ids=" ".join)
def test_a_command_where_nothing_is_installed_says_so_and_makes_nothing(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("HIVEBATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["hivebatch", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert printed.err.startswith("hivebatch: var holds no installation: start `hivebatch up`")
    assert printed.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
