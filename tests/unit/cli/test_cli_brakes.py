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


REASON = {
    "code": "rate_limited",
    "message": "The provider is held (submission): HTTP 429",
    "jobs": 1200,
    "since": "2026-03-01T12:00:00Z",
    "until": "2026-03-01T12:00:17Z",
    "ends": "its time is over",
    "expected_by": None,
    "is_at_least": True,
}


@pytest.mark.parametrize(("shown", "path"), [("job_1", "/api/jobs/job_1/why"), ("batch_1", "/api/batches/batch_1/why")])
def test_why_says_each_reason_in_a_line(capsys: pytest.CaptureFixture[str], shown: str, path: str) -> None:
    alone = {"jobs": 1, "since": None, "until": None, "expected_by": "2026-03-01T12:00:09Z", "is_at_least": False}
    with serving(200, {"reasons": [REASON, REASON | alone]}) as canned:
        run("why", shown, url=canned.url)
    assert canned.heard[0][0] == f"GET {path}"
    many, one = capsys.readouterr().out.splitlines()
    held = "The provider is held (submission): HTTP 429. Ends when its time is over"
    assert (
        many == f"rate_limited  at least 1,200 jobs, since 2026-03-01T12:00:00Z: {held} (until 2026-03-01T12:00:17Z)."
    )
    assert one == f"rate_limited  1 job, expected by 2026-03-01T12:00:09Z: {held}."


def test_why_of_what_is_over_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(200, {"reasons": []}) as canned:
        run("why", "job_1", url=canned.url)
    assert capsys.readouterr().out == "It waits for nothing: it is over.\n"
