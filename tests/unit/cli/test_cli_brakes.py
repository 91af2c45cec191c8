"""The commands that hold a batch and let it go, against a server of a few canned answers."""

import json

import pytest

from app.cli import hivebatch
from tests.unit.cli.test_cli_client import BATCH, serving


def run(*arguments: str, url: str) -> None:
    hivebatch([*arguments, "--url", url, "--key", "k"], standalone_mode=False)


def test_pause_sends_the_reason_and_says_how_the_batch_stands(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(200, BATCH | {"status": "paused"}) as canned:
        run("pause", "batch_1", "wrong prompts", url=canned.url)
    request, _, body = canned.heard[0]
    assert (request, json.loads(body)) == ("POST /api/batches/batch_1/pause", {"reason": "wrong prompts"})
    assert capsys.readouterr().out == "batch_1 is paused.\n"


def test_resume_says_how_the_batch_stands(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(200, BATCH | {"status": "in_progress"}) as canned:
        run("resume", "batch_1", url=canned.url)
    assert canned.heard[0][0] == "POST /api/batches/batch_1/resume"
    assert capsys.readouterr().out == "batch_1 is in_progress.\n"


def test_budget_sends_the_amount_and_says_how_the_batch_stands(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(200, BATCH | {"status": "in_progress"}) as canned:
        run("budget", "batch_1", "12.50", url=canned.url)
    request, _, body = canned.heard[0]
    assert (request, json.loads(body)) == ("POST /api/batches/batch_1/budget", {"budget": "12.50"})
    assert capsys.readouterr().out == "batch_1 is in_progress.\n"
