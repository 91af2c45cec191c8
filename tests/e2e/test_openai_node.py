"""OpenAI's SDK for Node, where there is a Node to run it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e import openai_flow
from tests.e2e.processes import Processes, environment
from tests.project import ROOT, document

FOLDER = ROOT / ".venv/environments/node"
SCRIPT = ROOT / "tests/e2e/node/flow.mjs"
OLDEST = 20
"""The first Node that has all that the script uses."""


@pytest.fixture
def node() -> str:
    """The command. A machine without a Node that is new enough skips the test."""
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        pytest.skip("there is no node, or no npm, on this machine")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST:
        pytest.skip(f"node {version} is older than {OLDEST}")
    return found


@pytest.mark.slow
def test_the_sdk_for_node_goes_the_whole_way(processes: Processes, tmp_path: Path, node: str) -> None:
    assert (FOLDER / "node_modules").is_dir(), "there is none yet: make .venv/environments/node/.made"
    up = processes.up(tmp_path, "--sandbox", "--v3", "--profile", "calm", "--port", "0")
    told = environment(OPENAI_BASE_URL=f"{up.url}/v1", OPENAI_API_KEY=up.key)
    process = processes.run([node, str(SCRIPT), str(FOLDER)], tmp_path / "sdk", told)
    status = process.wait(100)
    assert status == 0, process.stdout + process.stderr
    assert process.stdout.split() == [step.__name__ for step in openai_flow.STEPS]
    assert "ERROR" not in up.process.stderr


def test_its_lock_names_no_host() -> None:
    lock = document("tests/e2e/node/package-lock.json")
    assert '"integrity": "sha512-' in lock
    assert re.findall(r"\w+:/|resolved", lock) == []
