"""The two systems under fire: the Procfile on PostgreSQL and Redis, and `hivebatch up` on SQLite.

Whatever two parts say to each other goes through the proxy. The provider's sandbox is a process that nobody kills.
"""

import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.chaos.marked import FOLDER
from tests.chaos.proxy import Proxy
from tests.chaos.supervisor import Supervisor, Watched
from tests.e2e.procfile import OF_SANDBOX, PROCESSES, TIMES, Process, environment, settings_of_production, until
from tests.servers import Postgres, Redis, free_port

SETTINGS = {
    **TIMES,
    **OF_SANDBOX,
    "MAX_ATTEMPTS": "30",  # however often it is hit, a job has to end well
    "MAX_IN_FLIGHT": "300",
    "LOG_LEVEL": "WARNING",
}
_HIVEBATCH = '#!/bin/sh\nexec python -m tests.chaos.marked "$@"\n'
_START_SECONDS = 60.0


class System(ABC):
    """A running installation with a hostile provider. A context manager; whatever it started ends with it.

    `url` is the client's way to it, `sandbox_url` and `database_url` are those of who only watches.
    """

    database: str

    def __init__(self, seed: int, sender: str) -> None:
        self._seed = seed
        self._settings = SETTINGS | {"SENDER": sender}
        self._owned = ExitStack()
        self.watched: dict[str, Watched] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hivebatch-chaos-")))
            self.marks, self._shim = self.folder / "marks", self.folder / "bin"
            for each in (self.marks, self._shim):
                each.mkdir()
            (self._shim / "hivebatch").write_text(_HIVEBATCH)
            (self._shim / "hivebatch").chmod(0o755)
            self.proxy = stack.enter_context(Proxy())
            self.supervisor = stack.enter_context(Supervisor())
            self._start_sandbox(stack)
            self._start(stack)
            self._owned = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._owned.close()

    @property
    @abstractmethod
    def environment(self) -> Mapping[str, str]:
        """That of who asks from outside, through no proxy."""

    @property
    @abstractmethod
    def key(self) -> str:
        """An API key."""

    @abstractmethod
    def _start(self, stack: ExitStack) -> None:
        """Start it; `stack` ends what it is given."""

    def run(self, line: str) -> "subprocess.CompletedProcess[str]":
        """Run a shell line to its end, without marks and proxy."""
        return subprocess.run(
            ["sh", "-c", line], env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )

    def wait_until_up(self, *names: str) -> None:
        """Until these processes work, all if none is named."""
        wanted = [self.watched[name] for name in names or self.watched]
        until(lambda: all(each.is_up for each in wanted), _START_SECONDS, f"up: {[each.name for each in wanted]}")

    def of_role(self, *roles: str) -> Sequence[Watched]:
        """The processes whose names begin like this."""
        return [each for name, each in self.watched.items() if name.startswith(roles)]

    def logs(self) -> Mapping[str, str]:
        """What each process printed."""
        return {path.stem: path.read_text(errors="replace") for path in self.folder.glob("*.log")}

    def _start_sandbox(self, stack: ExitStack) -> None:
        self._sandbox_port = free_port()
        self.sandbox_url = f"http://127.0.0.1:{self._sandbox_port}"
        line = f"exec hivebatch sandbox --port {self._sandbox_port} --profile hostile --seed {self._seed}"
        process = Process(line, environment({}, 0), self.folder / "sandbox.log")
        stack.callback(process.kill)

    def _watch(self, name: str, line: str, variables: Mapping[str, str]) -> None:
        path = f"{self._shim}:{variables['PATH']}"
        marked = {**variables, "PATH": path, FOLDER: str(self.marks)}
        watched = Watched(name, line, marked, self.folder / f"{name}.log", self.marks)
        self.watched[name] = self.supervisor.watch(watched)


class Production(System):
    """One web and two workers of the Procfile. Redis is not there at the start."""

    database = "postgresql"
    WORKERS = ("worker-1", "worker-2")

    def _start(self, stack: ExitStack) -> None:
        self.postgres = stack.enter_context(Postgres(is_durable=True))
        self.redis = Redis()
        stack.callback(self.redis.stop)
        self.database_url = self.postgres.create_database("hivebatch")
        self._port = free_port()
        self._public_url = f"http://127.0.0.1:{self.proxy.link('provider-web', self._port)}"
        self.url = f"http://127.0.0.1:{self.proxy.link('client-web', self._port)}"
        released = self.run(PROCESSES["release"])
        assert released.returncode == 0, released.stderr
        self._key = self.run("hivebatch keys create chaos").stdout.strip()
        self._watch("web", PROCESSES["web"], self._of("web"))
        of_worker = self._of("worker")
        for name in self.WORKERS:
            self._watch(name, PROCESSES["worker"], of_worker)

    @property
    def environment(self) -> Mapping[str, str]:
        return self._variables(self.postgres.port, self.redis.port, self._sandbox_port)

    @property
    def key(self) -> str:
        return self._key

    def _of(self, role: str) -> Mapping[str, str]:
        """The environment of web or workers: each has its own way to everything."""
        postgres = self.proxy.link(f"{role}-postgresql", self.postgres.port)
        redis = self.proxy.link(f"{role}-redis", self.redis.port)
        provider = self.proxy.link("worker-provider", self._sandbox_port) if role == "worker" else self._sandbox_port
        return self._variables(postgres, redis, provider)

    def _variables(self, postgres: int, redis: int, provider: int) -> dict[str, str]:
        required = settings_of_production(
            f"postgresql+psycopg://postgres@127.0.0.1:{postgres}/hivebatch",
            f"redis://127.0.0.1:{redis}/0",
            f"http://127.0.0.1:{provider}",
            self._public_url,
        )
        return environment({**required, **self._settings}, self._port)


class Local(System):
    """`hivebatch up` on SQLite: one process that is everything."""

    database = "sqlite"
    KEY = "a-key-of-the-chaos-run"

    def _start(self, stack: ExitStack) -> None:
        self._port = free_port()
        self._public_url = f"http://127.0.0.1:{self.proxy.link('provider-up', self._port)}"
        self.url = f"http://127.0.0.1:{self.proxy.link('client-up', self._port)}"
        self.database_url = f"sqlite:///{self.folder / 'var' / 'hivebatch.db'}"
        variables = self._variables(self.proxy.link("up-provider", self._sandbox_port))
        self._watch("up", f"exec hivebatch up --port {self._port}", variables)

    @property
    def environment(self) -> Mapping[str, str]:
        return self._variables(self._sandbox_port)

    @property
    def key(self) -> str:
        return self.KEY

    def _variables(self, provider: int) -> dict[str, str]:
        settings = {
            "DATA_DIR": str(self.folder / "var"),
            "DEV_KEY": self.KEY,
            "HIVE_URL": f"http://127.0.0.1:{provider}",
            "HIVE_KEY": "of-the-tests",
            "PUBLIC_URL": self._public_url,
        }
        return environment(settings | self._settings, self._port)


SYSTEMS: Mapping[str, type[System]] = {each.database: each for each in (Local, Production)}
