"""What the two designs have in common: they are started, given jobs, asked how far they are, and audited."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

import psycopg
import requests

from tests.bench.audit import Submit, complaints
from tests.bench.counterpart import Entry
from tests.bench.machine import Machine, port_of
from tests.e2e.procfile import Process, until
from tests.servers import free_port

WARM_UP = 50


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the service is run. `settings` are more of its settings, by name without prefix.

    `obvious_worker`: options of the obvious design's Celery worker.
    """

    workers: int = 2
    connections: int = 16
    in_flight: int = 2000
    settings: Mapping[str, str] = field(default_factory=dict)
    obvious_worker: str = ""
    is_profiled: bool = False


class Design(ABC):
    """One way to build the service, running on a machine with a database of its own."""

    name: str
    SUBMITTED: str
    """SQL: how many jobs have a stored acknowledgement."""
    STORED: str
    """SQL: how many jobs have a stored result."""
    BOOKS: str
    """SQL: the columns of `Submit`."""

    def __init__(self, machine: Machine, tuning: Tuning) -> None:
        self.machine, self.tuning = machine, tuning
        self.url = f"http://127.0.0.1:{free_port()}"
        self.database_url = machine.new_database()
        self.processes: list[Process] = []
        self._http = requests.Session()
        self._owned = ExitStack()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Its web process; workers only once they are asked for. Begins a new ledger."""
        self.machine.provider.forget()
        self.machine.redis.command("FLUSHALL")  # a run without workers leaves its messages
        with self._owned:
            self._start_web()
            self._database = self._owned.enter_context(psycopg.connect(self.dsn, autocommit=True))
            try:
                yield
            except BaseException:
                self._tell()
                raise

    def start_workers(self) -> None:
        """Start what submits, and wait until it runs."""
        self._start_workers()
        until(self._is_ready, 40, f"the workers of {self.name} are ready")

    def warm_up(self) -> None:
        """A few jobs from end to end, so that what is measured next finds everything loaded."""
        self.machine.provider.mode(calls_back=True)
        self.post(WARM_UP)
        self.machine.provider.until_answered(WARM_UP, 60)
        until(lambda: self.count(self.STORED) == WARM_UP, 30, "the jobs of the warm-up are stored")
        self.machine.provider.forget()

    def post(self, jobs: int) -> None:
        """Submit a batch of so many jobs in one request."""
        self.send(self.body(jobs))

    def send(self, body: bytes) -> None:
        """Submit a batch whose body is made already."""
        answer = self._http.post(self.batches_url, data=body, headers=self.headers, timeout=600)
        assert answer.status_code == 201, answer.text[:500]

    def count(self, query: str) -> int:
        """The number that a query of one value gives."""
        row = self._database.execute(query.encode()).fetchone()
        assert row is not None
        return int(row[0])

    def complaints(self, ledger: Sequence[Entry], jobs: int) -> list[str]:
        """What the database says otherwise than the provider, in words."""
        books = [Submit(*row) for row in self._database.execute(self.BOOKS.encode())]
        return [f"{self.name}: {complaint}" for complaint in complaints(books, ledger, jobs)]

    @property
    def dsn(self) -> str:
        return self.database_url.replace("+psycopg", "")

    @property
    def port(self) -> int:
        return port_of(self.url)

    def _tell(self) -> None:
        """What the processes printed last: whatever went wrong, they saw it."""
        print(f"{self.name} failed: {self.count(self.SUBMITTED)} submitted, {self.count(self.STORED)} stored")
        for process in self.processes:
            print(f"--- {process.pid}\n{process.printed[-2000:]}", flush=True)

    def _run(self, name: str, line: str) -> None:
        running: AbstractContextManager[Process] = self.machine.running(name, line, self.environment)
        self.processes.append(self._owned.enter_context(running))

    @property
    @abstractmethod
    def environment(self) -> Mapping[str, str]: ...

    @property
    @abstractmethod
    def batches_url(self) -> str: ...

    @property
    @abstractmethod
    def headers(self) -> Mapping[str, str]: ...

    @abstractmethod
    def body(self, jobs: int) -> bytes: ...

    @abstractmethod
    def _start_web(self) -> None: ...

    @abstractmethod
    def _start_workers(self) -> None: ...

    @abstractmethod
    def _is_ready(self) -> bool: ...
