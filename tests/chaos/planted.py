"""Books to plant faults in: jobs, attempts, callbacks and sales as they are when all is well."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from tests.e2e.books import Books, Sale

START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
BATCH = UUID(int=1)


def at(seconds: float) -> datetime:
    """So many seconds into the run."""
    return START + timedelta(seconds=seconds)


def job(custom_id: str = "job/0", batch: UUID = BATCH, created: float = 0.0) -> Any:
    return SimpleNamespace(
        id=uuid4(), batch_id=batch, custom_id=custom_id, created_at=at(created), finished_at=None, source="callback"
    )


def attempt(
    number: int,
    state: str,
    created: float,
    finished: float | None,
    *,
    acked: float | None = None,
    error_code: str | None = None,
    asked: bool = False,
    task_id: str | None = None,
) -> Any:
    """One that was claimed and sent at `created`. `asked`: for its task, at the end of a first time-out, in vain."""
    return SimpleNamespace(
        id=uuid4(),
        number=number,
        state=state,
        created_at=at(created),
        sent_at=None if error_code == "lease_expired" else at(created),
        acked_at=None if acked is None else at(acked),
        finished_at=None if finished is None else at(finished),
        error_code=error_code,
        had_more_time=asked,
        provider_task_id=task_id,
    )


def callback(attempt_id: UUID, job_id: UUID, received: float, outcome: str, source: str) -> Any:
    """An answer that came once, by itself or when asked for."""
    return SimpleNamespace(
        attempt_id=attempt_id,
        job_id=job_id,
        received_at=at(received),
        outcome=outcome,
        source=source,
        detail=None,
        times=1,
    )


def sale(shown: str | None, *statuses: int | None, task_id: str | None = None) -> Sale:
    """A task that was booked, and how its callbacks were answered."""
    return Sale(task_id or uuid4().hex, shown, "", START, (), statuses, Decimal("0.1"))


class Planted:
    """Books of some jobs, as they are put in."""

    def __init__(self) -> None:
        self._jobs: list[Any] = []
        self._attempts: dict[str, list[Any]] = {}
        self._callbacks: list[Any] = []
        self._sales: list[Sale] = []

    def put(
        self,
        row: Any,
        attempts: list[Any],
        *,
        sold: int = 1,
        answered: float | None = None,
        outcome: str = "applied",
        source: str = "callback",
    ) -> str:
        """A job with its attempts, sold so often, the answer to its last attempt kept then; its id."""
        shown = f"job_{row.id.hex}"
        self._jobs.append(row)
        self._attempts[shown] = attempts
        delivered = [200] if answered is not None and source == "callback" else []
        self._sales += [sale(shown, *(delivered if number == 0 else [])) for number in range(sold)]
        if answered is not None:
            self._callbacks.append(callback(attempts[-1].id, row.id, answered, outcome, source))
            row.finished_at = at(answered) if outcome == "applied" else None
            row.source = source
        return shown

    def sell(self, of: Sale) -> None:
        self._sales.append(of)

    def books(self) -> Books:
        return Books(self._sales, [], self._jobs, self._attempts, self._callbacks, {})
