"""The benchmark runs from end to end, writes every row and loses nothing. It says nothing about speed."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.bench.figures import GOALS
from tests.bench.rows import fast, growth, lasting

ROOT = Path(__file__).parents[2]
KEYS = ["name", "unit", "ours", "obvious", "ratio", "limit", "share_of_limit", "goal"]


@pytest.mark.timeout(300)
def test_the_benchmark_runs_and_writes_every_row_and_loses_nothing(tmp_path: Path) -> None:
    written, drawn = tmp_path / "bench.json", tmp_path / "bench.svg"
    command = [
        sys.executable,
        "-m",
        "tests.bench",
        "--smoke",
        "--scale",
        "2000",
        "--lasting",
        "300",
        "--json",
        str(written),
    ]
    done = subprocess.run(
        [*command, "--svg", str(drawn)], cwd=ROOT, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing of ours was lost." in done.stdout
    rows = {row["name"]: row for row in json.loads(written.read_text())}
    assert list(rows) == [name for name in GOALS if not (fast.unavailable() and name.endswith("_fast"))]
    for name, row in rows.items():
        assert list(row) == KEYS
        assert row["ours"] > 0
        assert name in {*growth.NAMES, *lasting.NAMES, "accept_50k_s"} or row["obvious"] > 0
    assert ET.parse(drawn).getroot().tag.endswith("svg")  # noqa: S314 - it is our own
