"""What both designs run on: one durable PostgreSQL, one Redis, one fast provider, and a folder for it all."""

import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import requests

from tests.bench.counterpart import Counterpart
from tests.e2e.procfile import ROOT, Process, until
from tests.servers import Postgres, Redis, free_port


class Machine:
    """A context manager; whatever it started ends with it, and nothing else."""

    def __init__(self) -> None:
        self._owned = ExitStack()
        self._made = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hivebatch-bench-")))
            self.postgres = stack.enter_context(Postgres(is_durable=True))
            self.redis = stack.enter_context(Redis())
            url = f"http://127.0.0.1:{free_port()}"
            line = f"exec python -m tests.bench.provider --port {port_of(url)}"
            process = stack.enter_context(self.running("provider", line))
            self.provider = Counterpart(url, process.pid)
            wait_for(f"{url}/bench/ledger")
            self._owned = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._owned.close()

    def running(self, name: str, line: str, environment: Mapping[str, str] | None = None) -> "Running":
        """A shell line that runs until the block ends."""
        self._made += 1
        return Running(line, environment or python_environment(), self.folder / f"{self._made:03d}-{name}.log")

    def new_database(self) -> str:
        """An empty database; its URL."""
        self._made += 1
        return self.postgres.create_database(f"bench_{self._made}")


class Running:
    """A process in a group of its own, killed with the whole group when the block ends."""

    def __init__(self, line: str, environment: Mapping[str, str], log: Path) -> None:
        self._arguments = (line, environment, log)

    def __enter__(self) -> Process:
        self._process = Process(*self._arguments)
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.kill()


def python_environment() -> dict[str, str]:
    """This environment without settings of the service, with this tree and this Python before any other."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("HIVEBATCH_")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return kept | {"PATH": path, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}".rstrip(":")}


def port_of(url: str) -> int:
    """The port in a URL without a path."""
    return int(url.rpartition(":")[2])


def wait_for(url: str) -> None:
    """Until it answers 200; half a minute at most."""

    def answers() -> bool:
        with suppress(requests.ConnectionError):
            return requests.get(url, timeout=5).status_code == 200
        return False

    until(answers, 30, f"{url} answers")
