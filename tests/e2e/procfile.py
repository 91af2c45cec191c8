"""Runs a production installation as a supervisor does: the lines of the Procfile through the shell, on real servers."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import requests

from app.cli.service import SANDBOX_TASK_PATH
from tests.servers import Postgres, Redis, free_port

ROOT = Path(__file__).parents[2]
PROCESSES: Mapping[str, str] = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
STOP_SECONDS = 20.0

# Short, so that a lost callback costs seconds; each keeps its order to the others.
TIMES = {
    "SUBMIT_TIMEOUT_SECONDS": "3",
    "LEASE_SECONDS": "4.5",
    "CALLBACK_TIMEOUT_SECONDS": "4",
    "UNKNOWN_GRACE_SECONDS": "3",
    "BACKOFF_BASE_SECONDS": "0.2",
    "BACKOFF_MAX_SECONDS": "1",
    "SWEEP_SECONDS": "0.5",
}
OF_SANDBOX = {"HIVE_TASK_PATH": SANDBOX_TASK_PATH}
"""The sandbox can be asked for its tasks."""


def until(is_so: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for something that comes true. Raises AssertionError if it hasn't after so many seconds."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not so after {seconds:g} s: {what}"
        time.sleep(0.05)


class Process:
    """One shell line in a process group of its own; what it prints goes to a file."""

    def __init__(self, line: str, environment: Mapping[str, str], log: Path) -> None:
        self._line = line
        self._environment = environment
        self._log = log
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(
                ["sh", "-c", self._line], env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def printed(self) -> str:
        return self._log.read_text()

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._running.poll()

    def stop(self) -> int:
        """SIGTERM, as a supervisor sends it; the exit status. Raises TimeoutExpired: it did not end in time."""
        self._running.terminate()
        return self._running.wait(STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL for the whole group."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._running.wait()


class Production:
    """PostgreSQL, Redis, the provider's sandbox, and of the Procfile `release`, one `web` and some `worker`s."""

    def __init__(self, *, profile: str, workers: int, times: Mapping[str, str] = TIMES, **settings: str) -> None:
        self._profile = profile
        self._number = workers
        self._settings = {**times, **OF_SANDBOX, **settings}
        self._owned = ExitStack()
        self.workers: list[Process] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hivebatch-e2e-")))
            self.postgres = stack.enter_context(Postgres(is_durable=True))
            self.redis = stack.enter_context(Redis())
            self.url, self.sandbox_url = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
            self.database_url = self.postgres.create_database("hivebatch")
            required = settings_of_production(self.database_url, self.redis.url, self.sandbox_url, self.url)
            self.environment: Mapping[str, str] = environment({**required, **self._settings}, self.ports[0])
            self._owned = stack.pop_all()
        try:
            self._start()
        except BaseException:
            self._owned.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._owned.close()

    @property
    def ports(self) -> Sequence[int]:
        urls = (self.url, self.sandbox_url)
        return (*(int(url.rpartition(":")[2]) for url in urls), self.postgres.port, self.redis.port)

    @property
    def dsn(self) -> str:
        return self.database_url.replace("+psycopg", "")

    def spawn(self, name: str, line: str) -> Process:
        """Run a shell line in the installation's environment; it is killed, if need be, when that ends."""
        process = Process(line, self.environment, self.folder / f"{name}.log")
        self._owned.callback(process.kill)
        return process

    def run(self, line: str) -> "subprocess.CompletedProcess[str]":
        """Run a shell line to its end."""
        return subprocess.run(
            ["sh", "-c", line], env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )

    def wait_until_ready(self) -> None:
        """Until web answers that it is, and as many workers as are wanted have swept in the last seconds."""
        until(self._is_ready, 30, "web and workers are ready")

    def _start(self) -> None:
        port = self.sandbox_url.rpartition(":")[2]
        self.sandbox = self.spawn("sandbox", f"exec hivebatch sandbox --port {port} --profile {self._profile}")
        released = self.run(PROCESSES["release"])
        assert released.returncode == 0, released.stderr
        self.web = self.spawn("web", PROCESSES["web"])
        self.workers = [self.spawn(f"worker-{number}", PROCESSES["worker"]) for number in range(self._number)]
        self.wait_until_ready()

    def _is_ready(self) -> bool:
        with suppress(requests.ConnectionError):
            answer = requests.get(f"{self.url}/readyz", timeout=5)
            alive = {f"-{worker.pid}@" for worker in self.workers}
            swept = [each["worker"] for each in answer.json()["workers"]]
            return answer.status_code == 200 and all(any(pid in name for name in swept) for pid in alive)
        return False


def settings_of_production(database_url: str, broker_url: str, hive_url: str, public_url: str) -> Mapping[str, str]:
    """The settings without which production refuses to start, by name without prefix."""
    return {
        "MODE": "production",
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "SECRET_KEY": "0123456789abcdef" * 4,
        "ADMIN_PASSWORD": "of-the-tests",
        "HIVE_KEY": "of-the-tests",
        "HIVE_URL": hive_url,
        "PUBLIC_URL": public_url,
    }


def environment(settings: Mapping[str, str], port: int) -> dict[str, str]:
    """This environment with these settings and no others, and with this tree and this Python before any other."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("HIVEBATCH_")}
    return (
        inherited
        | {f"HIVEBATCH_{name}": text for name, text in settings.items()}
        | {
            "PORT": str(port),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),  # this tree, wherever the environment's own installation points
        }
    )
