"""Reasons: why open jobs wait, as a pure function of what is known at one moment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.services.views import HoldView, ReasonView
from app.states import AttemptState, JobState
from app.store.waiting import Group


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of a batch, or of one of its jobs, at one moment.

    `provider` takes its queued jobs now. `holds` are those on the batch, on its provider and on the one that stands in
    for that, and what the settings forbid. `has_tripped`: the breaker has,
    and nothing has succeeded since. `needs_echo`: one has to come back before the batch is submitted from. `before`:
    how many jobs are claimed before the one that is asked about. `usual`: what 99 of 100 of the provider's callbacks
    take, if that is known. `is_worker_alive` is of those whose clock is right, `is_worker_aside` of the others.
    """

    now: datetime
    provider: str
    cancel_requested_at: datetime | None
    expires_at: datetime
    holds: tuple[HoldView, ...]
    has_tripped: bool
    needs_echo: bool
    in_flight: int
    max_in_flight: int
    next_slot_at: datetime | None
    last_sweep_at: datetime | None
    is_worker_alive: bool
    is_worker_aside: bool
    before: int
    groups: tuple[Group, ...]
    usual: timedelta | None = None


def reasons(snapshot: Snapshot) -> tuple[ReasonView, ...]:
    """Why it waits: what ends all first, then what keeps due jobs back, then what the others wait for.

    Never empty while a job is open.
    """
    due = _jobs(_due(snapshot))
    ending = list(_ending(snapshot))
    brakes = [*_held(snapshot, due), *_limited(snapshot, due)] if due else []
    unattended = list(_unattended(snapshot))
    suspects = list(_suspects(snapshot))
    free = 0 if ending or brakes or unattended else due - sum(reason.jobs for reason in suspects)
    ready = [_ready(snapshot, free)] if free else []
    under_way = [_under_way(snapshot, group) for group in _in_order(snapshot) if group not in _due(snapshot)]
    return (
        *_counted(ending, snapshot.groups),
        *_counted(unattended, _rung(snapshot)),
        *_counted(brakes, _due(snapshot)),
        *_counted(suspects, _suspect(snapshot)),
        *_counted(ready, _due(snapshot)),
        *under_way,
    )


def _counted(found: Sequence[ReasonView], groups: Sequence[Group]) -> Iterator[ReasonView]:
    """These reasons, which are those of these groups, and whether all jobs of them could be counted."""
    is_at_least = any(group.is_at_least for group in groups)
    return (replace(reason, is_at_least=is_at_least) for reason in found)


def _due(snapshot: Snapshot) -> Sequence[Group]:
    return [group for group in snapshot.groups if group.state is JobState.QUEUED and group.is_due]


def _suspect(snapshot: Snapshot) -> Sequence[Group]:
    return [group for group in _due(snapshot) if group.is_suspect]


def _rung(snapshot: Snapshot) -> Sequence[Group]:
    return [group for group in snapshot.groups if group.is_due]


def _jobs(groups: Sequence[Group]) -> int:
    return sum(group.jobs for group in groups)


def _ending(snapshot: Snapshot) -> Iterator[ReasonView]:
    open_jobs = _jobs(snapshot.groups)
    if not open_jobs:
        return
    if snapshot.cancel_requested_at is not None:
        words = "The batch is being cancelled."
        yield ReasonView("cancelling", words, open_jobs, snapshot.cancel_requested_at, None, "the cancel reaches it")
    if snapshot.expires_at <= snapshot.now:
        words = "The batch has run out of time."
        yield ReasonView("expired", words, open_jobs, snapshot.expires_at, None, "the next sweep ends it")


def _unattended(snapshot: Snapshot) -> Iterator[ReasonView]:
    """Nobody looks after what has to be claimed, or after alarms that have rung."""
    concerned = _jobs(_rung(snapshot))
    if not concerned or snapshot.is_worker_alive:
        return
    if snapshot.is_worker_aside:
        words, ends = (
            "Whoever could see to it stands aside, as its clock is off.",
            "the clock of a worker is right again",
        )
        yield ReasonView("clock_off", words, concerned, snapshot.last_sweep_at, None, ends)
    else:
        last = "No worker has swept lately." if snapshot.last_sweep_at else "No worker is known to run."
        yield ReasonView("no_worker", last, concerned, snapshot.last_sweep_at, None, "a worker starts")


def _held(snapshot: Snapshot, due: int) -> Iterator[ReasonView]:
    for hold in snapshot.holds:
        words = f"The {hold.scope} is held ({hold.placed_by}): {hold.message}"
        if hold.scope == "provider" and hold.scope_id != snapshot.provider:
            words += f" Until that ends, {snapshot.provider} takes its jobs."
        yield ReasonView(hold.reason, words, due, hold.since, hold.until, hold.ends)
    if snapshot.needs_echo and not snapshot.holds:
        words = "Before that the service has to reach itself at its public URL once more."
        yield ReasonView("echo_awaited", words, due, None, None, "the echo comes back; a worker asks for it at once")
    if snapshot.has_tripped and all(hold.reason != "breaker" for hold in snapshot.holds):
        words = f"The breaker of {snapshot.provider} lets one submit at a time go and try."
        yield ReasonView("breaker_probe", words, due, None, None, "a submit succeeds")


def _limited(snapshot: Snapshot, due: int) -> Iterator[ReasonView]:
    slot = snapshot.next_slot_at
    if slot is not None and slot > snapshot.now:
        words = "All slots of the rate are taken until then."
        yield ReasonView("own_rate", words, due, None, slot, "the next slot begins")
    if snapshot.in_flight >= snapshot.max_in_flight:
        words = f"{snapshot.provider} has {snapshot.in_flight} tasks, and may have {snapshot.max_in_flight} at once."
        yield ReasonView("no_room_in_flight", words, due, None, None, "one of them is answered or times out")


def _suspects(snapshot: Snapshot) -> Iterator[ReasonView]:
    suspects = _suspect(snapshot)
    if suspects:
        words = "Its last worker did not come back, so it is submitted alone."
        since = min(group.since for group in suspects)
        yield ReasonView("suspect", words, _jobs(suspects), since, None, "a worker is idle for it")


def _ready(snapshot: Snapshot, due: int) -> ReasonView:
    since = min(group.since for group in _due(snapshot) if not group.is_suspect)
    if snapshot.before:
        words = f"Nothing holds it; {snapshot.before:,} or more jobs are before it in line."
        return ReasonView("in_line", words, due, since, None, "those before it are claimed")
    return ReasonView("ready", "Nothing holds it; it is next in line.", due, since, None, "a worker claims it")


def _in_order(snapshot: Snapshot) -> Sequence[Group]:
    return sorted(snapshot.groups, key=lambda group: group.until)


def _under_way(snapshot: Snapshot, group: Group) -> ReasonView:
    code, words, ends = _waiting_for(group, group.provider or snapshot.provider)
    expected_by = None
    is_usual = group.attempt_state is AttemptState.WAITING and group.provider == snapshot.provider
    if snapshot.usual and group.sent_at and is_usual:
        expected_by = group.sent_at + snapshot.usual
    return ReasonView(code, words, group.jobs, group.since, group.until, ends, expected_by, group.is_at_least)


def _waiting_for(group: Group, provider: str) -> tuple[str, str, str]:
    """Code, sentence and end of what claimed, waiting and backing off jobs wait for."""
    if group.state is JobState.QUEUED:
        return "backing_off", "It is tried again after a pause.", "the pause is over"
    if group.state is JobState.SUBMITTING:
        words = f"A worker is submitting it to {provider}; until then it is the worker's."
        return "submitting", words, f"{provider} answers, or the worker's time is over"
    if group.attempt_state is AttemptState.UNKNOWN:
        words = f"{provider} may have accepted it; a callback may still come."
        return "unknown_outcome", words, "its callback comes, or the grace is over and it is submitted again"
    if group.is_due:
        words = f"{provider} has it; its callback did not come in time, so it is asked for, where that is possible."
        return "timing_out", words, "a worker comes to it: it is asked for, and else submitted again"
    ends = "its callback comes, or it times out and is submitted again"
    if group.is_overdue:
        return "overdue", f"{provider} has it; its callback is overdue: 99 of 100 come sooner.", ends
    return "waiting_for_callback", f"{provider} has it; its callback has not come yet.", ends
