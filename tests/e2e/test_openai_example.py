"""The example of the Batch API, run as its users run it, against both of the sandbox's APIs."""

import sys
from pathlib import Path

from tests.e2e.processes import Process, Processes, Up, environment
from tests.project import ROOT

LLAMA = "meta-llama/llama-3.2-1b-instruct"
SCRIPT = ROOT / "examples/openai_batch.py"


def run(processes: Processes, up: Up, folder: Path, *arguments: str) -> Process:
    """The script, once it has ended."""
    told = {"OPENAI_BASE_URL": f"{up.url}/v1", "OPENAI_API_KEY": up.key}
    process = processes.run([sys.executable, str(SCRIPT), *arguments], folder, environment(**told))
    process.wait(60)
    return process


def test_the_example_prints_the_same_answers_from_v2_and_from_v3(processes: Processes, tmp_path: Path) -> None:
    up = processes.up(tmp_path, "--sandbox", "--v3", "--profile", "calm", "--port", "0")
    assert up.process.stdout.count("(the sandbox)") == 2
    from_v2 = run(processes, up, tmp_path / "v2")
    from_v3 = run(processes, up, tmp_path / "v3", LLAMA)
    lines = from_v2.stdout.splitlines()
    assert lines[::2] == ["Name three rivers of Europe.", "Name three rivers of Asia.", "Which of them is the longest?"]
    assert all(len(line) > 10 and "no answer" not in line for line in lines[1::2]), from_v2.stderr
    assert from_v3.stdout == from_v2.stdout
    providers = [batch["provider"] for batch in up.request("GET", "/api/batches").json()["items"]]
    assert providers == ["hive_v3", "hive_v2"]


def test_a_model_that_is_not_served_is_said_so(processes: Processes, tmp_path: Path) -> None:
    up = processes.up(tmp_path, "--sandbox", "--profile", "calm", "--port", "0")
    process = run(processes, up, tmp_path / "v3", LLAMA)
    assert "No model found with id" in process.stderr
    assert up.request("GET", "/api/batches").json()["items"] == []


def test_v3_is_of_the_sandbox(processes: Processes, tmp_path: Path) -> None:
    process = processes.hivebatch("up", "--v3", "--port", "0", folder=tmp_path)
    assert process.wait(30) == 2
    assert "HIVEBATCH_PROVIDERS" in process.stderr
