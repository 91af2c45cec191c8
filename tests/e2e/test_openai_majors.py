"""The official SDK in its current major version and the two before it, each in a locked environment of its own."""

from pathlib import Path

import openai
import pytest

from tests.e2e import openai_flow
from tests.e2e.processes import Processes, environment
from tests.project import ROOT

CURRENT = int(openai.__version__.partition(".")[0])
STEPS = [step.__name__ for step in (*openai_flow.STEPS, openai_flow.asynchronously)]


@pytest.mark.slow
@pytest.mark.parametrize("major", [CURRENT - 2, CURRENT - 1, CURRENT])
def test_a_major_version_goes_the_whole_way(processes: Processes, tmp_path: Path, major: int) -> None:
    python = ROOT / f".venv/environments/openai-{major}/bin/python"
    assert python.exists(), f"there is none yet: make {python.parents[1].relative_to(ROOT)}/.made"
    up = processes.up(tmp_path, "--sandbox", "--v3", "--profile", "calm", "--port", "0")
    told = environment(OPENAI_BASE_URL=f"{up.url}/v1", OPENAI_API_KEY=up.key)
    # -I: only what its environment holds, nothing of this checkout.
    process = processes.run([str(python), "-I", openai_flow.__file__], tmp_path / "sdk", told)
    status = process.wait(100)
    assert status == 0, process.stdout + process.stderr
    version, *went_through = process.stdout.splitlines()
    assert int(version.partition(".")[0]) == major
    assert went_through == STEPS
    assert "ERROR" not in up.process.stderr
