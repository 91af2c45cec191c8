"""What is published: a wheel that, installed in an empty directory, is a working service."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.e2e.processes import Processes, Up, environment

ROOT = Path(__file__).parents[2]
BUILD_SECONDS = 100

pytestmark = pytest.mark.slow


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a fresh environment that holds the wheel, and sees the dependencies of this one."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    (wheel,) = folder.glob("hivebatch-*.whl")
    venv.create(folder / "venv")
    python = folder / "venv" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    # Only what lies there is found: the .pth files of an editable install are not read in a folder added like this.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def without_the_checkout() -> dict[str, str]:
    return {name: value for name, value in environment().items() if name != "PYTHONPATH"}


def test_the_packages_come_from_the_wheel(processes: Processes, installed: Path, tmp_path: Path) -> None:
    command = [str(installed / "python"), "-c", "import app, workers, migrations; print(app.__file__)"]
    process = processes.run(command, tmp_path, without_the_checkout())
    assert process.wait(BUILD_SECONDS) == 0, process.stderr
    assert Path(process.stdout.strip()).is_relative_to(installed.parent)


def test_up_serves_a_batch_in_an_empty_directory(processes: Processes, installed: Path, tmp_path: Path) -> None:
    command = [str(installed / "hivebatch"), "up", "--sandbox", "--profile", "calm", "--port", "0"]
    up = Up(processes.run(command, tmp_path, without_the_checkout()))
    batch = up.finished(up.submit({str(number): f"Name {number} rivers." for number in range(10)}))
    assert batch["counts"]["completed"] == 10
    for path in ("/admin/", "/admin/static/admin.css", "/openapi.json"):
        assert up.request("GET", path).status_code == 200, path
    assert up.process.stop() == 0
    assert "ERROR" not in up.process.stderr


def test_the_schema_in_the_wheel_is_whole(processes: Processes, installed: Path, tmp_path: Path) -> None:
    check = processes.run([str(installed / "hivebatch"), "db", "check"], tmp_path, without_the_checkout())
    assert check.wait(BUILD_SECONDS) == 0, check.stderr
    assert "Models and migrations agree." in check.stdout


def test_the_version_is_that_of_the_package(processes: Processes, installed: Path, tmp_path: Path) -> None:
    version = processes.run([str(installed / "hivebatch"), "--version"], tmp_path, without_the_checkout())
    assert version.wait(BUILD_SECONDS) == 0, version.stderr
    assert version.stdout.startswith("hivebatch, version ")
