"""The ledger: every task that was booked, and so billed, and every submit that was refused."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from threading import Lock

from app.sandbox.results import vendor_time
from app.sandbox.tasks import SentCallback, Task


@dataclass(frozen=True)
class Refused:
    """A submit that was not booked."""

    refused_at: datetime
    status: int
    message: str
    prompt_hash: str | None = None
    """None where the request was refused before it was read."""
    metadata: str | None = None
    words: tuple[str, ...] = ()


class Ledger:
    """Tasks and refusals in order of arrival; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._tasks: dict[str, Task] = {}
            self._refused: list[Refused] = []

    def book(self, task: Task) -> None:
        """Write down an accepted task."""
        with self._lock:
            self._tasks[task.task_id] = task

    def refuse(self, refused: Refused) -> None:
        """Write down a refused submit."""
        with self._lock:
            self._refused.append(refused)

    def find(self, task_id: str) -> Task | None:
        """Look up a task."""
        with self._lock:
            return self._tasks.get(task_id)

    def called_back(self, task: Task, callback: SentCallback) -> None:
        """Write down a callback that was sent."""
        with self._lock:
            task.callbacks.append(callback)

    def answered(self, task: Task) -> None:
        """Write down that a sync task's result was returned."""
        with self._lock:
            task.is_answered = True

    def page(self, since: int, refused_since: int, limit: int) -> dict[str, object]:
        """At most `limit` tasks and refusals from these offsets on, the offsets to go on from, and the totals."""
        with self._lock:
            tasks = list(self._tasks.values())
            entries = [_entry(task) for task in tasks[since : since + limit]]
            refused = [_refused(refused) for refused in self._refused[refused_since : refused_since + limit]]
            totals = _totals(tasks, self._refused)
        return {
            "entries": entries,
            "next": since + len(entries),
            "refused": refused,
            "refused_next": refused_since + len(refused),
            "totals": totals,
        }


def _entry(task: Task) -> dict[str, object]:
    return {
        "task_id": task.task_id,
        "metadata": task.submission.metadata,
        "prompt_sha256": task.submission.prompt_hash,
        "submission": task.number,
        "accepted_at": vendor_time(task.accepted_at),
        "faults": list(task.switches.words),
        "callbacks": [_callback(callback) for callback in task.callbacks],
        "charge": f"{task.charge:f}",
        "result": "failed" if task.fail else "success",
        "outcome": task.outcome,
    }


def _callback(callback: SentCallback) -> dict[str, object]:
    return {
        "kind": callback.kind,
        "sent_at": vendor_time(callback.sent_at),
        "status": callback.status,
        "error": callback.error,
    }


def _refused(refused: Refused) -> dict[str, object]:
    return {
        "refused_at": vendor_time(refused.refused_at),
        "status": refused.status,
        "message": refused.message,
        "prompt_sha256": refused.prompt_hash,
        "metadata": refused.metadata,
        "faults": list(refused.words),
    }


def _totals(tasks: list[Task], refused: list[Refused]) -> dict[str, object]:
    kinds = Counter(callback.kind for task in tasks for callback in task.callbacks)
    faults = Counter(task.switches.text for task in tasks) + Counter(" ".join(entry.words) for entry in refused)
    faults.pop("", None)
    return {
        "requests": len(tasks) + len(refused),
        "accepted": len(tasks),
        "refused": len(refused),
        "callbacks": kinds.total(),
        "lost": sum(task.is_lost for task in tasks),
        "duplicates": kinds["duplicate"] + kinds["resent"],
        "cost": f"{sum((task.charge for task in tasks), Decimal(0)):f}",
        "faults": dict(sorted(faults.items())),
    }
