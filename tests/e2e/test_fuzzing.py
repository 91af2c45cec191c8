"""Whatever the OpenAPI document allows is taken, whatever it forbids is refused, and every answer is as it says."""

import os
import re
from pathlib import Path

import pytest

from tests.e2e.processes import Processes, environment
from tests.project import ROOT

SECONDS = int(os.environ.get("FUZZ_SECONDS", "30"))
PATIENCE_SECONDS = 40
SCHEMATHESIS = ROOT / ".venv/environments/schemathesis/bin/schemathesis"
CONFIGURATION = ROOT / "schemathesis.toml"


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 220)
@pytest.mark.parametrize("face", ["api", "v1"])
def test_schemathesis_finds_nothing(processes: Processes, tmp_path: Path, face: str) -> None:
    assert SCHEMATHESIS.exists(), "there is none yet: make .venv/environments/schemathesis/.made"
    up = processes.up(tmp_path, "--sandbox", "--v3", "--profile", "calm", "--port", "0")
    command = [str(SCHEMATHESIS), "--config-file", str(CONFIGURATION), "run", f"{up.url}/openapi.json"]
    what = ["-c", "all", "--include-path-regex", f"^/{face}/", "--max-time", str(SECONDS), "--continue-on-failure"]
    # A test event is answered once its receiver has, or once it is given up: a name that leads nowhere takes a while.
    what += ["--request-timeout", str(PATIENCE_SECONDS)]
    key = ["-H", f"Authorization: Bearer {up.key}"]
    process = processes.run([*command, *what, *key], tmp_path / "schemathesis", environment())
    status = process.wait(SECONDS + 200)
    assert status == 0, process.stdout[-20_000:] + process.stderr
    generated = re.search(r"(\d+) generated", process.stdout)
    assert generated is not None
    assert int(generated[1]) > 500
    assert "ERROR" not in up.process.stderr
