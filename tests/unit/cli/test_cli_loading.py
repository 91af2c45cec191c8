"""What a process loads stays in its memory, so the processes that stay load what they run and nothing else."""

import json
import subprocess
import sys
from collections.abc import Collection

import click
import pytest

from app.cli import COMMANDS, hivebatch
from tests.project import ROOT

LOADED = """
import json, sys
from app.cli import hivebatch
hivebatch.get_command(None, {!r})
print(json.dumps([*sys.modules]))
"""


def loaded_for(command: str) -> Collection[str]:
    """The names of the modules that a fresh process has once it has this command."""
    line = [sys.executable, "-c", LOADED.format(command)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stdout))


def test_a_worker_loads_no_web() -> None:
    loaded = loaded_for("worker")
    assert {"workers.sweeper", "app.services.submission", "celery.worker"} <= loaded
    assert not loaded & {"flask", "werkzeug", "jinja2", "uvicorn", "app.api", "app.admin", "app.sandbox"}


def test_a_worker_loads_no_shell_of_celery() -> None:
    assert not loaded_for("worker") & {"celery.bin.celery", "click_repl", "prompt_toolkit"}


def test_a_web_process_loads_no_other_command() -> None:
    loaded = loaded_for("web")
    assert "app.cli.web" in loaded
    assert not loaded & {"workers", "rich", "alembic", "migrations.runner", "app.sandbox", "app.cli.demo"}


def test_the_group_of_commands_loads_none() -> None:
    assert not [name for name in loaded_for("nothing of ours") if name.startswith(("app.cli.", "celery", "sqlalchemy"))]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_the_table_says_and_has_its_name(name: str) -> None:
    command = hivebatch.get_command(click.Context(hivebatch), name)
    assert command is not None
    assert command.name == name
