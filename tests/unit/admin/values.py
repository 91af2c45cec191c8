"""View values as the services would give them, each with the one thing changed that a test is about."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.services.overviews import Minute, Overview, ProviderStanding
from app.services.views import (
    AttemptView,
    BatchView,
    CallbackView,
    CostsView,
    JobDetail,
    JobView,
    Readiness,
    ResultView,
)
from app.states import JobState
from app.store.overviews import OpenJobs

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
BATCH_ID = UUID("01900000-0000-7000-8000-000000000001")
JOB_ID = UUID("01900000-0000-7000-8000-000000000002")
ATTEMPT_ID = UUID("01900000-0000-7000-8000-000000000003")


def a_batch(counts: dict[str, int] | None = None, **changes: Any) -> BatchView:
    full = {state.value: 0 for state in JobState} | (counts or {"completed": 1})
    values: dict[str, Any] = {
        "id": BATCH_ID,
        "owner": "dev",
        "name": "spring",
        "provider": "hive_v2",
        "fallback_provider": None,
        "status": "in_progress",
        "options": {},
        "metadata": {},
        "total": sum(full.values()),
        "counts": full,
        "round": 1,
        "max_attempts": 4,
        "retries": 0,
        "late": 0,
        "duplicates": 0,
        "read_back": 0,
        "possibly_doubled": 0,
        "overdue": 0,
        "cost": Decimal("0.0200"),
        "costs": CostsView(Decimal("0.0200"), Decimal(0), Decimal(0), Decimal(0)),
        "budget": None,
        "line_errors": (),
        "line_errors_total": 0,
        "oldest_open_job_at": None,
        "created_at": NOW - timedelta(minutes=3),
        "expires_at": NOW + timedelta(days=7),
        "expected_end": None,
        "cancel_requested_at": None,
        "finalized_at": None,
        "holds": (),
    }
    return BatchView(**(values | changes))


def a_job(**changes: Any) -> JobView:
    values: dict[str, Any] = {
        "id": JOB_ID,
        "batch_id": BATCH_ID,
        "position": 0,
        "custom_id": "sku-1",
        "state": "completed",
        "attempts": 1,
        "max_attempts": 4,
        "due_at": None,
        "error_code": None,
        "error_message": None,
        "created_at": NOW - timedelta(minutes=3),
        "finished_at": None,
    }
    return JobView(**(values | changes))


def an_attempt(**changes: Any) -> AttemptView:
    values: dict[str, Any] = {
        "id": ATTEMPT_ID,
        "number": 1,
        "state": "waiting",
        "provider": "hive_v2",
        "provider_task_id": None,
        "created_at": NOW - timedelta(minutes=2),
        "sent_at": None,
        "acked_at": None,
        "finished_at": None,
        "http_status": None,
        "error_code": None,
        "error_message": None,
        "cost": None,
    }
    return AttemptView(**(values | changes))


def a_callback(**changes: Any) -> CallbackView:
    values: dict[str, Any] = {
        "id": UUID("01900000-0000-7000-8000-000000000004"),
        "attempt_id": ATTEMPT_ID,
        "source": "http",
        "outcome": "applied",
        "detail": None,
        "times": 1,
        "bytes": 812,
        "sha256": "0" * 64,
        "received_at": NOW - timedelta(minutes=1),
        "last_received_at": NOW - timedelta(minutes=1),
    }
    return CallbackView(**(values | changes))


def a_detail(**changes: Any) -> JobDetail:
    values: dict[str, Any] = {
        "job": a_job(),
        "text_data": "Name three rivers.",
        "options": {},
        "result": None,
        "attempts": (),
        "callbacks": (),
    }
    return JobDetail(**(values | changes))


def an_answer(text: str) -> ResultView:
    return ResultView(text=text, source="callback", details={}, created_at=NOW)


def a_provider(**changes: Any) -> ProviderStanding:
    values: dict[str, Any] = {
        "name": "hive_v2",
        "has_tripped": False,
        "holds": (),
        "in_flight": 7,
        "max_in_flight": 100,
        "half": 0.4,
        "most": 2.5,
        "last_callback_at": NOW - timedelta(seconds=2),
        "overdue_since": None,
        "asks_for_echo": True,
    }
    return ProviderStanding(**(values | changes))


def an_overview(*ended: tuple[int, int], **changes: Any) -> Overview:
    """`ended`: how many jobs completed and failed in the last minutes, the latest last."""
    counts = [(0, 0)] * (60 - len(ended)) + list(ended)
    values: dict[str, Any] = {
        "open_jobs": OpenJobs(3, 1, 2, NOW - timedelta(minutes=3)),
        "has_batches": True,
        "providers": (a_provider(),),
        "minutes": tuple(Minute(NOW - timedelta(minutes=59 - at), *each) for at, each in enumerate(counts)),
        "failures": (),
        "last_ring": None,
    }
    return Overview(**(values | changes))


def readiness(**changes: Any) -> Readiness:
    values: dict[str, Any] = {
        "is_ready": True,
        "reason": None,
        "schema_revision": "0001_initial",
        "workers": (),
        "last_sweep_at": NOW,
        "holds": (),
        "clock_off_seconds": None,
    }
    return Readiness(**(values | changes))
