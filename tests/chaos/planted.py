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
    return SimpleNamespace(id=uuid4(), batch_id=batch, custom_id=custom_id, created_at=at(created), finished_at=None)


def attempt(
    number: int,
    state: str,
    created: float,
    finished: float | None,
    *,
    acked: float | None = None,
    error_code: str | None = None,
) -> Any:
    """One that was claimed and sent at `created`."""
    return SimpleNamespace(
        number=number,
        state=state,
        created_at=at(created),
        sent_at=None if error_code == "lease_expired" else at(created),
        acked_at=None if acked is None else at(acked),
        finished_at=None if finished is None else at(finished),
        error_code=error_code,
    )


def callback(job_id: UUID, received: float, outcome: str = "applied", detail: str | None = None, times: int = 1) -> Any:
    return SimpleNamespace(job_id=job_id, received_at=at(received), outcome=outcome, detail=detail, times=times)


def sale(shown: str | None, *statuses: int | None) -> Sale:
    """A task that was booked, and how its callbacks were answered."""
    return Sale(uuid4().hex, shown, "", START, (), statuses, Decimal("0.1"))


class Planted:
    """Books of some jobs, as they are put in."""

    def __init__(self) -> None:
        self._jobs: list[Any] = []
        self._attempts: dict[str, list[Any]] = {}
        self._callbacks: list[Any] = []
        self._sales: list[Sale] = []

    def put(
        self, row: Any, attempts: list[Any], *, sold: int = 1, answered: float | None = None, outcome: str = "applied"
    ) -> str:
        """A job with its attempts, sold so often, its answer kept then; its id."""
        shown = f"job_{row.id.hex}"
        self._jobs.append(row)
        self._attempts[shown] = attempts
        self._sales += [sale(shown, *([200] if number == 0 and answered is not None else [])) for number in range(sold)]
        if answered is not None:
            self._callbacks.append(callback(row.id, answered, outcome))
            row.finished_at = at(answered) if outcome == "applied" else None
        return shown

    def sell(self, of: Sale) -> None:
        self._sales.append(of)

    def books(self) -> Books:
        return Books(self._sales, [], self._jobs, self._attempts, self._callbacks, {})
