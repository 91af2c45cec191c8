"""Claims: which jobs a worker may send now, reserved for it before the provider hears of any."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from app.db import Connection
from app.ids import new_id, read, show
from app.providers.base import Submission, SubmitOutcome
from app.runtime import Runtime
from app.services import brakes, fallbacks
from app.services.moves import move_cases
from app.states import Case
from app.store import inputs, jobs, limits
from app.tokens import CallbackSubject
from app.transitions import Claimed, Moment

SUSPECT_PATIENCE = timedelta(seconds=10)
HEAD_START = timedelta(seconds=1)
"""How long before its alarm a job may be claimed by who asks for it by its id."""

Chosen = Mapping[UUID, tuple[Case, inputs.Asked]]
"""Jobs, locked, with what is to be sent for each."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One job in the hands of this process until `lease_until`, to be sent at `send_at`, its slot in the rate.

    `refusals` counts the earlier submits of the job that were certainly not accepted.
    """

    job_id: UUID
    batch_id: UUID
    attempt_id: UUID
    provider: str
    submission: Submission
    send_at: datetime
    lease_until: datetime
    is_suspect: bool
    refusals: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a claim. `outcome` None: it was not sent, because the process ends or the lease is too short."""

    claim: Claim
    sent_at: datetime
    outcome: SubmitOutcome | None


def claim(runtime: Runtime, provider: str, room: int, *, is_idle: bool, job_id: UUID | None = None) -> Sequence[Claim]:
    """Claim up to `room` jobs, as many as rate and tasks in flight allow over all workers.

    The attempts, their alarms and their callback URLs are committed when this returns. `is_idle`: this process has
    nothing else under way for the provider, so a job that may have killed its last worker can go, alone. `job_id`:
    this job or none, and within its head start too.
    """
    if runtime.settings.refusal_to_submit(provider) is not None or runtime.clock_is_off.is_set():
        return ()
    claims, is_newly_full = _claim(runtime, provider, room, is_idle, job_id)
    if is_newly_full and not claims:
        # A callback rings only if it sees the mark; a slot that came free just before it was set is seen here.
        claims, _ = _claim(runtime, provider, room, is_idle, job_id)
    return claims


def _claim(
    runtime: Runtime, provider: str, room: int, is_idle: bool, job_id: UUID | None
) -> tuple[Sequence[Claim], bool]:
    """One claim, and whether it is the first to find no room in flight."""
    settings, moment = runtime.settings.every_provider[provider], runtime.moment()
    with runtime.database.transaction() as connection:
        limit = limits.lock(connection, provider, moment.now)
        first_slot_at = max(limit.next_slot_at, moment.now)
        # Slots are given ahead for a second, or for as long as a claimed job may wait within its lease.
        ahead_seconds = min(1.0, (settings.lease_seconds - settings.submit_timeout_seconds) / 2)
        room = min(
            room, _free_slots(settings.rate_per_second, (first_slot_at - moment.now).total_seconds(), ahead_seconds)
        )
        standing = limits.standing(connection, provider, moment.now)
        brake = brakes.brake(runtime.settings, provider, limit, standing.held, moment.now)
        if room <= 0 or brake.most_in_flight == 0:
            if brake.needs_echo:
                runtime.need_echo()
            return (), False
        room = min(room, standing.room)
        room_in_flight = brake.most_in_flight - standing.in_flight
        held = [read("batch", scope_id) for scope, scope_id, _ in standing.held if scope == "batch"]
        eligible, most = jobs.Eligible(held, brake.created_by, job_id=job_id), min(room, room_in_flight)
        chosen = _choose(connection, provider, moment, most, eligible, is_idle, has_suspect=standing.has_suspect)
        if not chosen and standing.is_fallback and not standing.has_suspect and job_id is None:
            chosen = _stand_in(runtime, connection, provider, moment, most, eligible)
        if brake.needs_echo and len(chosen) < most:
            runtime.need_echo()  # what is left may be of a batch that is newer than the last one
        claimed = {job_id: new_id() for job_id in chosen}
        cases = {job_id: case for job_id, (case, _) in chosen.items()}
        move_cases(connection, cases, [(job_id, Claimed(claimed[job_id], provider)) for job_id in chosen], moment)
        slots = _slots(settings.rate_per_second, first_slot_at, len(chosen) + 1)
        is_full = room_in_flight < room
        if (chosen and settings.rate_per_second) or is_full != limit.is_full:
            limits.write(connection, provider, slots[-1], is_full=is_full)
    lease_until = moment.timing_of(provider).lease_until(moment.now)
    claims = [
        _to_send(runtime, provider, case, claimed[job_id], asked, send_at, lease_until)
        for (job_id, (case, asked)), send_at in zip(chosen.items(), slots, strict=False)
    ]
    return claims, is_full and not limit.is_full


def _choose(
    connection: Connection,
    provider: str,
    moment: Moment,
    room: int,
    eligible: jobs.Eligible,
    is_idle: bool,
    *,
    has_suspect: bool,
) -> Chosen:
    """A suspect alone, if one is due and this process is idle for it; else whatever there is room for.

    A process that is never idle passes suspects over for a while, then becomes idle for them.
    """
    if room <= 0:
        return {}
    if eligible.job_id is not None:
        return jobs.claimable(connection, provider, moment.now + HEAD_START, 1, eligible, suspect=False)
    claimable = partial(jobs.claimable, connection, provider, moment.now, eligible=eligible)
    if has_suspect:
        suspects = claimable(1, suspect=True)
        waited_long = moment.now - SUSPECT_PATIENCE
        overdue = any(case.job.due_at and case.job.due_at < waited_long for case, _ in suspects.values())
        if suspects and (is_idle or overdue):
            return suspects if is_idle else {}
    return claimable(room, suspect=False)


def _stand_in(
    runtime: Runtime, connection: Connection, provider: str, moment: Moment, room: int, eligible: jobs.Eligible
) -> Chosen:
    """Jobs of a provider that is out of order, from batches that fall back on this one."""
    if room <= 0:
        return {}
    eligible = replace(eligible, fallback=provider)
    for other in fallbacks.stands_in_for(runtime, connection, provider, moment.now):
        if found := jobs.claimable(connection, other, moment.now, room, eligible, suspect=False):
            return found
    return {}


def _free_slots(rate: float | None, first_in_seconds: float, ahead_seconds: float) -> int:
    """How many rate slots begin within `ahead_seconds`, at most one second's worth (GCRA with slots ahead)."""
    if rate is None:
        return sys.maxsize
    left = ahead_seconds - first_in_seconds
    return min(int(left * rate) + 1, max(1, int(rate))) if left >= 0 else 0


def _slots(rate: float | None, first_slot_at: datetime, number: int) -> Sequence[datetime]:
    """When each may be sent; the last is the next free slot."""
    step = timedelta(seconds=1 / rate if rate else 0)
    return [first_slot_at + index * step for index in range(number)]


def _to_send(
    runtime: Runtime,
    provider: str,
    case: Case,
    attempt_id: UUID,
    asked: inputs.Asked,
    send_at: datetime,
    lease_until: datetime,
) -> Claim:
    job = case.job
    text_data, options = asked
    token = runtime.signer.sign(CallbackSubject(job.batch_id, attempt_id))
    submission = Submission(
        text_data=text_data,
        options=options,
        callback_url=f"{runtime.settings.public_url}/callbacks/hive/{token}",
        metadata=show("job", job.id),
    )
    refusals = job.last_number - job.attempts
    return Claim(job.id, job.batch_id, attempt_id, provider, submission, send_at, lease_until, job.suspect, refusals)
