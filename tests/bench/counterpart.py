"""The benchmark's side of its provider: what to do, and what it did."""

from dataclasses import dataclass
from typing import Any

import requests


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the provider's ledger; times in seconds of the machine's monotonic clock."""

    task_id: str
    callback_url: str
    metadata: str | None
    acked_at: float
    sent_at: float | None
    answered_at: float | None
    status: int | None

    @property
    def answered(self) -> float:
        """When the callback was answered.

        Raises:
            ValueError: it was not.
        """
        if self.answered_at is None:
            raise ValueError(f"no answer to the callback of {self.task_id}")
        return self.answered_at

    @property
    def took_seconds(self) -> float:
        """From the callback's last byte to its answer."""
        return self.answered - (self.sent_at or 0.0)


class Counterpart:
    """A provider that runs at `url`, as process `pid`."""

    def __init__(self, url: str, pid: int) -> None:
        self.url, self.pid = url, pid
        self._http = requests.Session()

    def mode(self, *, calls_back: bool, connections: int = 64, callback_seconds: float = 0.0) -> None:
        """From now on, tasks are called back for after so long, or held."""
        wanted = {"calls_back": calls_back, "connections": connections, "callback_seconds": callback_seconds}
        self._ask("mode", 10, wanted)

    def forget(self) -> None:
        """Begin a new ledger."""
        self._ask("forget", 10, {})

    def release(self) -> None:
        """Call back for all that is held."""
        self._ask("release", 30, {})

    def load(self, url: str, number: int) -> None:
        """Call back for so many tasks that nobody submitted."""
        self._ask("load", 30, {"url": url, "number": number})

    def until_acked(self, number: int, seconds: float) -> None:
        """Wait until so many tasks were accepted. Raises requests.Timeout."""
        self._ask(f"until/acked/{number}", seconds)

    def until_answered(self, number: int, seconds: float) -> None:
        """Wait until so many callbacks were answered. Raises requests.Timeout."""
        self._ask(f"until/answered/{number}", seconds)

    def ledger(self) -> list[Entry]:
        """Every task, in the order of acceptance."""
        return [Entry(**each) for each in self._ask("ledger", 60)]

    def _ask(self, path: str, seconds: float, body: object = None) -> Any:
        method = "GET" if body is None else "POST"
        return self._http.request(method, f"{self.url}/bench/{path}", json=body, timeout=seconds).json()
