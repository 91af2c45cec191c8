"""Look-ups: an overdue task is asked for at the provider before its job is paid for again."""

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from uuid import UUID

from app.ids import show
from app.providers.base import Finished, Lookup, NoReply, NotKnown, Running
from app.providers.dialogues import Dialogue
from app.runtime import Runtime
from app.services import inbox
from app.services.inbox import Kept
from app.services.received import read
from app.states import Attempt, AttemptState, Case
from app.tokens import CallbackSubject
from app.transitions import Event, StillRunning

logger = logging.getLogger(__name__)


def can_ask(runtime: Runtime, case: Case) -> bool:
    """Whether the job's current attempt has a task id, and a provider that can be asked for it."""
    attempt = _current(case)
    if attempt is None or _task_id(attempt) is None:
        return False
    provider = runtime.providers.get(attempt.provider)  # None: it is no longer configured
    return provider is not None and provider.can_read_back


def ask(runtime: Runtime, cases: Sequence[Case]) -> Sequence[tuple[UUID, Event]]:
    """Ask for the current task of each job, side by side. A result goes through the inbox, as a callback would.

    Returns an event for each job whose task is, or may be, still running.
    """
    attempts = [attempt for attempt in map(_current, cases) if attempt is not None]
    found = [runtime.asking.start(_look_up(runtime, attempt)) for attempt in attempts]
    running: list[tuple[UUID, Event]] = []
    keeping: list[Future[Kept]] = []  # waited for at the end, so that they share a commit
    for case, attempt, lookup in zip(cases, attempts, (each.result() for each in found), strict=True):
        logger.info("looked_up", extra={"attempt_id": show("attempt", attempt.id), "found": type(lookup).__name__})
        match lookup:
            case Finished(body=body):
                subject = CallbackSubject(case.job.batch_id, attempt.id)
                keeping.append(inbox.keep(runtime, read(runtime, subject, attempt.provider, body, source="read_back")))
            case Running() | NoReply():
                # No reply is no reason to pay again either: it may well be running.
                running.append((case.job.id, StillRunning(attempt.id)))
            case NotKnown():
                pass
    for kept in keeping:
        kept.result()
    return running


def _look_up(runtime: Runtime, attempt: Attempt) -> Dialogue[Lookup]:
    task_id = _task_id(attempt)
    return (yield from runtime.providers[attempt.provider].look_up(task_id)) if task_id else NotKnown("no task id")


def _task_id(attempt: Attempt) -> str | None:
    return attempt.provider_task_id if attempt.state is AttemptState.WAITING else None


def _current(case: Case) -> Attempt | None:
    current = case.job.current_attempt_id
    return case.attempts.get(current) if current is not None else None
