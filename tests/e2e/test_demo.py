"""The demo's numbers, which are the API's, against the ledger of the sandbox that it ran on.

Both sides count the same three things, each as what happened beyond what was needed:

    retried    = submits that the provider may have taken - jobs submitted
    late       = different bodies heard                   - jobs completed
    duplicates = bodies heard                             - different bodies heard

What the provider may have taken is what the ledger booked, and what it refused in words that do not say so: a 503 is
paid for or not, nobody on our side can know. A 503 that was booked is an entry of the ledger, so it counts once.
A 429 is certain and counts on neither side.

A body is heard if its callback was answered with 2xx, or if it was read back. The ledger knows nothing of what is
read back, so that comes from the results: an answer with `source` read_back. Of the default profile's faults only
`duplicate` repeats a body, byte for byte, and a task that is read back has the body of its callback.
"""

import fcntl
import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.sandbox import answer_for
from tests.e2e.processes import Processes

PROMPTS = Path(__file__).parents[2] / "examples" / "prompts.jsonl"
SUMMARY = r"(\d+) completed, (\d+) failed, (\d+) retried, (\d+) late, (\d+) duplicates\ncost \$([\d.]+)"
DEMO_SECONDS = 60.0


@dataclass(frozen=True)
class Told:
    """What a demo printed and wrote."""

    completed: int
    failed: int
    retried: int
    late: int
    duplicates: int
    cost: Decimal
    results: Sequence[Mapping[str, Any]]
    ledger: Mapping[str, Any]
    output: str
    errors: str


@pytest.fixture(scope="module", params=[1, 2, 3], ids=lambda seed: f"seed{seed}")
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What a demo of this seed came to. One run serves all workers of pytest-xdist: all that is needed is in files."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / f"demo-{request.param}"
    with (shared / f"demo-{request.param}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            run_demo(request.param, folder)
    output, errors = (folder / "out.stdout").read_text(), (folder / "out.stderr").read_text()
    numbers = re.search(SUMMARY, output)
    assert numbers is not None, output + errors
    results = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    ledger = json.loads((folder / "ledger.json").read_text())
    return Told(*map(int, numbers.groups()[:5]), Decimal(numbers[6]), results, ledger, output, errors)


def run_demo(seed: int, folder: Path) -> None:
    """With the settings of another installation in its environment, which it must not touch."""
    foreign = {
        "HIVEBATCH_DATA_DIR": str(folder / "foreign"),
        "HIVEBATCH_DATABASE_URL": f"sqlite:///{folder / 'foreign.db'}",
        "HIVEBATCH_PUBLIC_URL": "https://foreign.invalid",
        "HIVEBATCH_HIVE_URL": "https://provider.invalid",
        "HIVEBATCH_PORT": "1",
        "HIVEBATCH_RATE_PER_SECOND": "1",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    arguments = ["--seed", str(seed), "--ledger", "ledger.json", "--output", "answers.jsonl"]
    with Processes() as processes:
        demo = processes.hivebatch("demo", str(PROMPTS), *arguments, folder=folder, **foreign)
        assert demo.wait(DEMO_SECONDS) == 0, demo.stderr
    assert not list(folder.glob("foreign*"))


def prompts() -> list[dict[str, Any]]:
    return [json.loads(line) for line in PROMPTS.read_text().splitlines()]


def unknown_refusals(told: Told) -> list[Mapping[str, Any]]:
    """Submits that the ledger refused in a way that leaves the submitter in doubt."""
    assert {refused["status"] for refused in told.ledger["refused"]} <= {429, 503}
    return [refused for refused in told.ledger["refused"] if refused["status"] == 503]


def deliveries(entry: Mapping[str, Any]) -> int:
    """How many callbacks of a task were answered with 2xx."""
    return sum(200 <= (callback["status"] or 0) < 300 for callback in entry["callbacks"])


def read_back(told: Told) -> set[str]:
    """The jobs whose answer was asked for."""
    return {line["job_id"] for line in told.results if line["source"] == "read_back"}


def heard(told: Told) -> list[Mapping[str, Any]]:
    """The tasks whose result reached us: called back, or lost on the way and read back."""
    asked = read_back(told)
    return [entry for entry in told.ledger["entries"] if deliveries(entry) or entry["metadata"] in asked]


def test_every_prompt_gets_its_own_answer_in_input_order(told: Told) -> None:
    asked = prompts()
    assert [line["custom_id"] for line in told.results] == [job["custom_id"] for job in asked]
    answers = [answer_for(job["text_data"], job.get("options", {}).get("system_prompt")) for job in asked]
    assert [line["text"] for line in told.results] == answers


def test_the_summary_counts_every_job_once(told: Told) -> None:
    assert (told.completed, told.failed) == (len(prompts()), 0)


def test_retried_is_what_may_have_been_taken_beyond_the_first_submit_of_each_job(told: Told) -> None:
    may_have_been_taken = told.ledger["totals"]["accepted"] + len(unknown_refusals(told))
    assert told.retried == may_have_been_taken - told.completed


def test_each_jobs_attempts_are_the_submits_in_the_ledger(told: Told) -> None:
    submits = Counter(entry["metadata"] for entry in [*told.ledger["entries"], *unknown_refusals(told)])
    assert {line["job_id"]: line["attempts"] for line in told.results} == submits


def test_late_is_what_was_heard_beyond_the_answer_of_each_job(told: Told) -> None:
    assert told.late == len(heard(told)) - told.completed


def test_duplicates_is_what_was_heard_beyond_the_first_time(told: Told) -> None:
    bodies = sum(map(deliveries, told.ledger["entries"])) + len(read_back(told))
    assert told.duplicates == bodies - len(heard(told))


def test_a_lost_callback_is_read_back_and_not_paid_again(told: Told) -> None:
    lost = {entry["metadata"] for entry in told.ledger["entries"] if entry["outcome"] == "lost"}
    assert lost
    assert lost <= read_back(told)


def test_the_cost_is_that_of_all_that_was_heard(told: Told) -> None:
    assert told.cost == sum(Decimal(entry["charge"]) for entry in heard(told))
    assert told.cost == Decimal(told.ledger["totals"]["cost"])


def test_every_fault_of_the_profile_has_happened(told: Told) -> None:
    assert {"lost", "duplicate", "before_ack", "late", "status=503"} <= told.ledger["totals"]["faults"].keys()
    assert min(told.retried, told.late, told.duplicates) > 0


def test_a_pipe_gets_plain_text_and_no_error_is_told(told: Told) -> None:
    assert "\x1b" not in told.output + told.errors
    assert "ERROR" not in told.errors + told.output
    assert "make up" in told.output


def test_prompts_that_are_refused_are_named_by_line(processes: Processes, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"custom_id": "1", "text_data": "Hello"}\n{"custom_id": "2"}\n')
    demo = processes.hivebatch("demo", "bad.jsonl", folder=tmp_path)
    assert demo.wait(DEMO_SECONDS) == 1
    assert "line 2, /text_data: Required field is missing" in demo.stderr
    assert "Traceback" not in demo.stderr
    assert not (tmp_path / "results.jsonl").exists()


def test_a_demo_with_a_failed_job_exits_1_and_writes_all_results(processes: Processes, tmp_path: Path) -> None:
    jobs = [
        {"custom_id": "good", "text_data": "Hello"},
        {"custom_id": "bad", "text_data": "Hello [[sandbox status=400]]"},
    ]
    (tmp_path / "prompts.jsonl").write_text("\n".join(map(json.dumps, jobs)))
    demo = processes.hivebatch("demo", "prompts.jsonl", "--profile", "calm", folder=tmp_path)
    assert demo.wait(DEMO_SECONDS) == 1
    assert "1 completed, 1 failed, 0 retried, 0 late, 0 duplicates" in demo.stdout
    states = [json.loads(line)["state"] for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert states == ["completed", "failed"]


def test_a_demo_that_is_stopped_ends_soon_and_leaves_old_results_alone(processes: Processes, tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text("old\n")
    demo = processes.hivebatch("demo", str(PROMPTS), folder=tmp_path)
    demo.wait_for("Submitted 200 prompts")
    assert demo.stop() == 130
    assert "The demo was ended before it was done." in demo.stderr
    assert "Traceback" not in demo.stderr
    assert (tmp_path / "results.jsonl").read_text() == "old\n"
    assert {path.name for path in tmp_path.iterdir()} == {"results.jsonl", "out.stdout", "out.stderr"}
