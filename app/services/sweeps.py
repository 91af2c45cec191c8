"""The sweep: it finds what a lost message, a dead worker or a silent provider would lose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.runtime import LOOKUPS_AT_ONCE, Runtime
from app.services import (
    announcements,
    budgets,
    clocks,
    deliveries,
    echoes,
    fallbacks,
    files,
    finalizing,
    latencies,
    lookups,
    orphans,
    refusals,
    removal,
    silence,
)
from app.services.brakes import SILENCE
from app.services.moves import move
from app.states import JobState
from app.store import batches, holds, jobs, limits, throughput, workers
from app.transitions import AlarmRang, Cancelled, Event, Expired, put_off

CHUNK = 500
LOOKUPS = LOOKUPS_AT_ONCE  # one round, so that a provider that doesn't answer holds a sweep up for one time-out
FORGET_WORKER_SECONDS = 3600.0
FORGET_THROUGHPUT = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Swept:
    """When to sweep again, the providers for which a queued job is due, and how many webhooks are."""

    next_at: datetime
    due_providers: tuple[str, ...]
    due_webhooks: int = 0


Step = Callable[[Runtime], bool]


def sweep(runtime: Runtime, worker: str, run: Callable[[Step], bool | None] | None = None) -> Swept:
    """Look after everything whose alarm has rung, a chunk of each kind. `worker` names the process that does it.

    `run` runs one step, and may keep what goes wrong in it (None) from the others; by default it stops the sweep.

    Raises:
        DatabaseUnavailable: what was not done is left to the next sweep.
    """
    off_seconds = clocks.check(runtime)
    if off_seconds is not None and runtime.clock_is_off.is_set():
        return _stand_aside(runtime, worker, off_seconds)
    # Not the rest of them once the process is to end: an echo and then look-ups take longer than it has.
    is_full = [run(step) if run else step(runtime) for step in STEPS if not runtime.stopping.is_set()]
    return _look_ahead(runtime, worker, off_seconds, is_full=any(is_full))


def begin(runtime: Runtime) -> None:
    """What a worker does first: its settings may be new, so holds that blame others end, and an echo is due.

    And a version from before webhooks may have ended batches until now.
    """
    with runtime.database.transaction() as connection:
        for provider in runtime.providers:
            refusals.lift_outdated(runtime.settings, connection, provider)
            echoes.doubt(runtime, connection, provider)
    announcements.catch_up(runtime)


def end(runtime: Runtime, worker: str) -> None:
    """What a worker does last: nobody counts it any more."""
    with runtime.database.transaction() as connection:
        workers.leave(connection, worker)


def _stand_aside(runtime: Runtime, worker: str, off_seconds: float) -> Swept:
    """The sweep of a worker whose clock is off: only a sign of life, at the database's time."""
    now, pause_seconds = runtime.moment().now, runtime.settings.sweep_seconds
    with runtime.database.transaction() as connection:
        workers.beat(connection, worker, now - timedelta(seconds=off_seconds), pause_seconds, off_seconds)
    return Swept(now + timedelta(seconds=pause_seconds), ())


def _look_ahead(runtime: Runtime, worker: str, off_seconds: float | None, *, is_full: bool) -> Swept:
    """The end of a sweep: a sign of life, and when the next is due; at once if a chunk was full.

    That is the earliest of the sweep interval, the next alarm, the next claim, the next rate slot, the end of a hold,
    the next echo, the next webhook. A silent provider is not passed over: its hold lets one job through.
    """
    now = runtime.moment().now
    with runtime.database.transaction() as connection:
        holds.remove_ended(connection, now)
        workers.beat(connection, worker, now, runtime.settings.sweep_seconds, off_seconds)
        workers.forget(connection, now - timedelta(seconds=FORGET_WORKER_SECONDS))
        throughput.forget(connection, now - FORGET_THROUGHPUT)
    due = []
    with runtime.database.reading() as connection:
        held = holds.standing(connection, now, "provider")
        instants = [jobs.next_alarm(connection), *(hold.until for hold in held), *echoes.next_at(runtime, connection)]
        due_webhooks, webhook_at = deliveries.due(runtime, connection)
        instants.append(webhook_at)
        for provider in sorted(set(runtime.providers) - {hold.scope_id for hold in held if hold.reason != SILENCE}):
            queues = (provider, *fallbacks.stands_in_for(runtime, connection, provider, now))
            claims_at = [jobs.next_claim(connection, queue) for queue in queues]
            claim_at = min((at for at in claims_at if at is not None), default=None)
            if claim_at is not None and claim_at <= now:
                due.append(provider)
            if claim_at is not None:
                limit = limits.get(connection, provider)
                instants.append(claim_at if limit is None else max(claim_at, limit.next_slot_at))
    # What is due already was seen to by this sweep or is another's; it must not make the next one spin.
    ahead: list[datetime] = [instant for instant in instants if instant is not None and instant > now]
    next_at = min([now + timedelta(seconds=runtime.settings.sweep_seconds), *ahead])
    return Swept(now if is_full else next_at, tuple(due), due_webhooks)


def expire_leases(runtime: Runtime) -> bool:
    """d: a worker that did not come back leaves an unknown outcome."""
    with runtime.database.reading() as connection:
        overdue = jobs.overdue(connection, JobState.SUBMITTING, runtime.moment().now, CHUNK)
    _apply(runtime, [(job_id, AlarmRang(due_at)) for job_id, due_at in overdue.items()])
    return len(overdue) == CHUNK


def time_out(runtime: Runtime) -> bool:
    """e or g: overdue callbacks. Who can be asked is asked first, because a resubmit is paid again."""
    with runtime.database.reading() as connection:
        overdue = jobs.overdue(connection, JobState.WAITING, runtime.moment().now, CHUNK)
        cases = jobs.peek(connection, overdue)
    moment = runtime.moment()
    # Who gets more time than before is not asked for yet.
    silent = [job_id for job_id in overdue if job_id in cases and not put_off(cases[job_id], moment)]
    askable = [job_id for job_id in silent if lookups.can_ask(runtime, cases[job_id])]
    left = set(askable[LOOKUPS:])
    running = lookups.ask(runtime, [cases[job_id] for job_id in askable[:LOOKUPS]])
    # The alarm rings for all; it changes nothing for a job that the answer has moved or given more time, or that has
    # another alarm by now, about which nobody was asked.
    rung = ((job_id, AlarmRang(due_at)) for job_id, due_at in overdue.items() if job_id not in left)
    _apply(runtime, [*running, *rung])
    return bool(left) or len(overdue) == CHUNK


def end_batches(runtime: Runtime) -> bool:
    """i and h for batches that ran out of time or whose cancel broke off."""
    now = runtime.moment().now
    with runtime.database.reading() as connection:
        ending: list[tuple[UUID, Cancelled | Expired]] = [
            (batch_id, Expired()) for batch_id in batches.expired(connection, now)
        ]
        ending += [(batch_id, Cancelled()) for batch_id in batches.cancelling(connection)]
    is_full = [end_jobs(runtime, batch_id, event) == CHUNK for batch_id, event in ending]
    return any(is_full)


def end_jobs(runtime: Runtime, batch_id: UUID, event: Cancelled | Expired) -> int:
    """Apply an ending to one chunk of a batch's open jobs; how many there were.

    Whether the batch is still ending is asked under its lock: a retry may have opened it again meanwhile.
    """
    moment = runtime.moment()
    with runtime.database.transaction() as connection:
        batch = batches.lock(connection, [batch_id]).get(batch_id)
        if batch is None or not _is_ending(batch, event, moment.now):
            return 0
        open_jobs = jobs.open_in_batch(connection, batch_id, CHUNK)
        moved = move(connection, [(job_id, event) for job_id in open_jobs], moment)
    finalizing.finalize(runtime, moved.ended_batches)
    return len(open_jobs)


def _is_ending(batch: Any, event: Cancelled | Expired, now: datetime) -> bool:
    is_cancelled: bool = batch.cancel_requested_at is not None
    has_expired: bool = batch.expires_at <= now
    return is_cancelled if isinstance(event, Cancelled) else has_expired


def _apply(runtime: Runtime, events: Sequence[tuple[UUID, Event]]) -> None:
    if not events:
        return
    with runtime.database.transaction() as connection:
        moved = move(connection, events, runtime.moment())
    finalizing.finalize(runtime, moved.ended_batches)


# Each stands for itself: whoever runs them lets none keep the others from their turn. Those that wait are last.
STEPS: tuple[Step, ...] = (
    expire_leases,
    end_batches,
    finalizing.settle,
    budgets.settle,
    removal.retire,
    removal.remove_marked,
    orphans.rematch,
    silence.watch,
    echoes.ask,
    latencies.learn,
    files.retire,
    files.remove_marked,
    deliveries.forget,
    time_out,
)
