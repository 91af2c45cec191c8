"""Starts `hivebatch` commands as processes of their own, reads what they print, and ends them, and nothing else."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import requests

START_SECONDS = 40.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.05
HIVEBATCH = (sys.executable, "-c", "from app.cli import main; main()")
"""The command of this checkout, whichever environment runs the tests."""


def eventually(found: Callable[[], object], seconds: float, what: str) -> Any:
    """What `found` returns once it is true; it may raise while the other side is not there."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if value := found():
                return value
        except requests.ConnectionError:
            pass
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(POLL_SECONDS)


@contextmanager
def full_disk(pid: int) -> Iterator[None]:
    """In the block this process can write to no file, as on a disk that is full; it takes no privileges."""
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, most))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without the settings in it, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HIVEBATCH_")}
    return kept | {"PYTHONPATH": str(Path(__file__).parents[2])} | variables


class Process:
    """One running command. Both its streams go to files, so that it never waits for a reader."""

    def __init__(self, command: Sequence[str], folder: Path, variables: Mapping[str, str], name: str = "out") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._out, self._err = folder / f"{name}.stdout", folder / f"{name}.stderr"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(command, cwd=folder, env=dict(variables), stdout=out, stderr=err)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stdout(self) -> str:
        return self._out.read_text()

    @property
    def stderr(self) -> str:
        return self._err.read_text()

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait_for(self, pattern: str, seconds: float = START_SECONDS) -> re.Match[str]:
        """The first match in what it prints, which it has to print in time and before it ends."""

        def found() -> re.Match[str] | None:
            is_running = self.is_running
            match = re.search(pattern, self.stdout)
            assert match or is_running, f"it ended with {self._process.returncode}: {self.stderr[-2000:]}"
            return match

        match: re.Match[str] = eventually(found, seconds, f"{pattern!r} in {self.stdout!r} {self.stderr[-2000:]!r}")
        return match

    def wait(self, seconds: float) -> int:
        """Its exit status, once it has ended by itself."""
        return self._process.wait(seconds)

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """End it as a supervisor would; its exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(seconds)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait(STOP_SECONDS)

    def clean_up(self) -> None:
        """Leave nothing running, however the test went."""
        if self.is_running:
            self.kill()


class Processes:
    """The processes of one test. A context manager that leaves none behind."""

    def __init__(self) -> None:
        self._started: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._started):
            process.clean_up()

    def hivebatch(self, *arguments: str, folder: Path, name: str = "out", **variables: str) -> Process:
        """`hivebatch ARGUMENTS` in this folder, with these variables and no other settings."""
        return self.run([*HIVEBATCH, *arguments], folder, environment(**variables), name)

    def run(self, command: Sequence[str], folder: Path, variables: Mapping[str, str], name: str = "out") -> Process:
        """Any command."""
        process = Process(command, folder, variables, name)
        self._started.append(process)
        return process

    def sandbox(self, folder: Path, *arguments: str) -> str:
        """`hivebatch sandbox` on a free port; its URL."""
        process = self.hivebatch("sandbox", "--port", "0", *arguments, folder=folder, name="sandbox")
        return process.wait_for(r"Sandbox on (http://\S+),")[1]

    def up(self, folder: Path, *arguments: str, name: str = "up", **variables: str) -> "Up":
        """`hivebatch up` on a free port, once it has printed its banner."""
        process = self.hivebatch("up", *(arguments or ("--port", "0")), folder=folder, name=name, **variables)
        return Up(process)


class Up:
    """A service that runs, and a client with its key."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.url = process.wait_for(r"Hivebatch runs at (http://\S+)")[1]
        self.key = process.wait_for(r"API key +(\S+)")[1]
        self.password = process.wait_for(r"password (\S+)")[1]
        process.wait_for(r"'\{?.*Name three rivers.*\n\n")

    @property
    def port(self) -> str:
        return self.url.rpartition(":")[2]

    def request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """One request with the key, on a connection of its own."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return requests.request(method, self.url + path, headers=headers, timeout=20, **arguments)

    def with_key(self, key: str) -> requests.Response:
        """The list of batches, asked for with another key."""
        return requests.get(f"{self.url}/api/batches", headers={"Authorization": f"Bearer {key}"}, timeout=20)

    def submit(self, prompts: Mapping[str, str]) -> str:
        """A batch of these prompts by custom_id; its id."""
        jobs = [{"custom_id": custom_id, "text_data": text} for custom_id, text in prompts.items()]
        response = self.request("POST", "/api/batches", json={"jobs": jobs})
        assert response.status_code == 201, response.text
        batch_id: str = response.json()["id"]
        return batch_id

    def batch(self, batch_id: str) -> dict[str, Any]:
        """The batch as it stands."""
        response = self.request("GET", f"/api/batches/{batch_id}")
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    def finished(self, batch_id: str, seconds: float = 60.0) -> dict[str, Any]:
        """The batch once it is final."""

        def final() -> dict[str, Any] | None:
            batch = self.batch(batch_id)
            return batch if batch["finalized_at"] else None

        batch: dict[str, Any] = eventually(final, seconds, f"{batch_id} is final")
        return batch

    def results(self, batch_id: str) -> list[dict[str, Any]]:
        """The results so far, in input order."""
        response = self.request("GET", f"/api/batches/{batch_id}/results")
        assert response.status_code == 200, response.text
        return [json.loads(line) for line in response.text.splitlines()]


def ledger(sandbox_url: str, settle: int = 20) -> dict[str, Any]:
    """The whole ledger of a sandbox, once it has sent all its callbacks."""
    response = requests.get(f"{sandbox_url}/sandbox/ledger?settle={settle}&limit=100000", timeout=settle + 10)
    body: dict[str, Any] = response.json()
    assert body["settled"], "the sandbox still had callbacks to send"
    return body
