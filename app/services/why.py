"""Why: what an open job, or a batch, waits for, and what ends that."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.db import Connection
from app.errors import NotFound
from app.ids import show
from app.runtime import Runtime
from app.services import brakes, clocks, expectations, fallbacks, health, holds
from app.services.reasons import Snapshot, reasons
from app.services.shown import hold_view
from app.services.status import find_batch
from app.services.views import HoldView, ReasonView
from app.states import JobState
from app.store import holds as hold_rows
from app.store import jobs, limits, waiting, workers

MOST_BEFORE = 1000


def job(runtime: Runtime, owner: str | None, job_id: UUID) -> tuple[ReasonView, ...]:
    """Why a job waits; nothing for one that is over.

    Raises:
        NotFound: no such job of this owner's.
    """
    now = runtime.moment().now
    with runtime.database.reading() as connection:
        row = jobs.get(connection, owner, job_id)
        if row is None:
            raise NotFound("job", show("job", job_id))
        snapshot = _snapshot(runtime, connection, find_batch(connection, owner, row.batch_id), job_id)
        if row.state == JobState.QUEUED and row.due_at <= now:
            before = waiting.before(connection, row.provider, row.due_at, job_id, MOST_BEFORE)
            snapshot = replace(snapshot, before=before)
    return reasons(snapshot)


def batch(runtime: Runtime, owner: str | None, batch_id: UUID) -> tuple[ReasonView, ...]:
    """Why the open jobs of a batch wait; nothing for a batch that is over.

    Raises:
        NotFound: no such batch of this owner's.
    """
    with runtime.database.reading() as connection:
        snapshot = _snapshot(runtime, connection, find_batch(connection, owner, batch_id))
    return reasons(snapshot)


def _snapshot(runtime: Runtime, connection: Connection, batch: Any, job_id: UUID | None = None) -> Snapshot:
    now = runtime.moment().now
    provider = fallbacks.in_charge(runtime, connection, batch, now)
    settings = runtime.settings.every_provider.get(provider, runtime.settings)
    usual = expectations.usual(expectations.of_providers(runtime, connection), provider)
    sent_before = now - usual if usual else None
    if job_id is None:
        groups = waiting.of_batch(connection, batch.id, now, sent_before=sent_before)
    else:
        groups = waiting.of_job(connection, job_id, now, sent_before=sent_before)
    standing = limits.standing(connection, provider, now)
    beats = workers.listing(connection, since=now - timedelta(hours=1))
    alive_since = now - health.patience(runtime.settings)
    swept_at, aside_at = _last(beats, is_aside=False), _last(beats, is_aside=True)
    limit = limits.get(connection, provider)
    return Snapshot(
        now=now,
        provider=provider,
        cancel_requested_at=batch.cancel_requested_at,
        expires_at=batch.expires_at,
        holds=_holds(runtime, connection, batch, [*dict.fromkeys((batch.provider, provider))]),
        has_tripped=standing.has_tripped,
        needs_echo=brakes.needs_echo(runtime.settings, provider, limit, batch.created_at, now),
        in_flight=standing.in_flight,
        max_in_flight=settings.max_in_flight,
        next_slot_at=limit.next_slot_at if limit is not None and settings.rate_per_second else None,
        last_sweep_at=swept_at,
        is_worker_alive=swept_at is not None and swept_at >= alive_since,
        is_worker_aside=aside_at is not None and aside_at >= alive_since,
        before=0,
        groups=tuple(groups),
        usual=usual,
    )


def _last(beats: Sequence[Any], *, is_aside: bool) -> datetime | None:
    """The latest sign of life of a worker that sweeps, or of one that stands aside for its clock."""
    return next((beat.swept_at for beat in beats if clocks.is_off(beat.clock_off_seconds) is is_aside), None)


def _holds(runtime: Runtime, connection: Connection, batch: Any, providers: Sequence[str]) -> tuple[HoldView, ...]:
    """Those on the batch, then those on its providers, what the settings forbid first."""
    now = runtime.moment().now
    on_batch = hold_rows.on_batches(connection, [batch.id], now).get(batch.id, ())
    on_providers = [hold for hold in hold_rows.standing(connection, now, "provider") if hold.scope_id in providers]
    return (*holds.by_settings(runtime, providers), *map(hold_view, on_batch), *map(hold_view, on_providers))
