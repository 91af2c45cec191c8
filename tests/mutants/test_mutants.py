"""Known faults, planted one at a time in a copy: the suite has to find each, or it proves less than it says.

Each `*.patch` names on its first line the tests that are to find it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATCHES = sorted(Path(__file__).parent.glob("*.patch"))
_FOUND_BY = "found by: "
_PASSED, _FAILED = 0, 1

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The tracked files as they are now, without the mutants."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    for name in filter(None, listed):
        source, target = ROOT / name, tmp_path / name
        if source.exists() and not name.startswith("tests/mutants/"):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    return tmp_path


def test_there_are_at_least_ten_mutants() -> None:
    assert len(PATCHES) >= 10


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_the_suite_finds(patch: Path, copy: Path) -> None:
    finders = _finders(patch)
    before = _run(copy, finders)
    assert before.returncode == _PASSED, f"the finders fail without the mutant:\n{before.stdout[-3000:]}"
    subprocess.run(["git", "apply", "--whitespace=nowarn", patch], cwd=copy, check=True)
    after = _run(copy, finders)
    assert after.returncode == _FAILED, f"nothing found it (exit {after.returncode}):\n{after.stdout[-3000:]}"


def _finders(patch: Path) -> Sequence[str]:
    first = patch.read_text().split("\n", 1)[0]
    assert first.startswith(_FOUND_BY), f"{patch.name} does not begin with '{_FOUND_BY}'"
    return first.removeprefix(_FOUND_BY).split()


def _run(copy: Path, finders: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """The finders in the copy, on SQLite: one database is enough to find a fault."""
    environment = {name: value for name, value in os.environ.items() if name not in {"CI", "PYTEST_ADDOPTS"}}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--timeout=30", "-p", "no:cacheprovider", "-m", "not slow"]
    return subprocess.run(
        [*command, "-k", "not postgresql", *finders],
        cwd=copy,
        env=environment | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
