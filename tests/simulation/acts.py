"""What can be done to the world from outside: each is one service call, and a line in the ledger."""

import hashlib
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from app.errors import Conflict, DatabaseUnavailable, NotFound
from app.ids import show
from app.runtime import Runtime
from app.services import batches, callbacks, claims, creation, submission
from app.services.brakes import SILENCE
from app.services.claims import Claim
from app.services.inbox import Kept
from app.services.outcomes import Sent
from app.services.views import NewBatch, NewJob
from app.store import holds
from tests.factories import PROVIDER, token_of
from tests.simulation.invariants import expect
from tests.simulation.ledger import Task, Told
from tests.simulation.provider import Says, body_of
from tests.simulation.world import Commits, World

OWNER = "alice"

# --- what the owner does ---


def create(
    world: World, runtime: Runtime, prompts: Sequence[str], *, key: str, max_attempts: int, expires_in_seconds: float
) -> UUID:
    """Submit a batch; the same key brings the same batch."""
    new = NewBatch(
        owner=OWNER,
        idempotency_key=key,
        request_sha256=hashlib.sha256(key.encode()).hexdigest(),
        max_attempts=max_attempts,
        expires_in_seconds=expires_in_seconds,
    )
    jobs = [NewJob(f"job-{number}", prompt, {}) for number, prompt in enumerate(prompts)]
    batch_id = creation.create(runtime, new, jobs).batch.id
    world.ledger.promised[batch_id] = prompts
    return batch_id


def cancel(world: World, runtime: Runtime, batch_id: UUID, custom_ids: Sequence[str] | None = None) -> str:
    """Cancel the batch or these jobs; how many that were, or what the owner was told instead."""
    world.ledger.cancelled.add(batch_id)
    try:
        number = batches.cancel(runtime, OWNER, batch_id, custom_ids)
    except (Conflict, NotFound) as refusal:
        return type(refusal).__name__
    if custom_ids is None:
        world.ledger.stopped[batch_id] = None
    return f"{number} jobs"


def retry(world: World, runtime: Runtime, batch_id: UUID, custom_ids: Sequence[str] | None = None) -> str:
    """Retry the batch or these jobs; what became of them, or what the owner was told instead."""
    world.ledger.retried.add(batch_id)
    world.ledger.stopped.pop(batch_id, None)
    try:
        report = batches.retry(runtime, OWNER, batch_id, custom_ids)
    except (Conflict, NotFound) as refusal:
        return type(refusal).__name__
    return f"{report.queued} queued, {report.salvaged} salvaged"


def delete(world: World, runtime: Runtime, batch_id: UUID) -> str:
    """Remove the batch."""
    world.ledger.removed.add(batch_id)
    try:
        batches.delete(runtime, OWNER, batch_id)
    except (Conflict, NotFound) as refusal:
        return type(refusal).__name__
    return "removed"


# --- what a worker does ---


def claim(world: World, runtime: Runtime, room: int, *, is_idle: bool) -> Sequence[Claim]:
    """Claim, and see that nothing is among it that was held all the while."""
    before = _held(world)
    claimed = claims.claim(runtime, PROVIDER, room, is_idle=is_idle)
    if claimed:
        still_held = before & _held(world)
        expect(not any(scope == "provider" for scope, *_ in still_held), "what is held is not claimed", still_held)
        batches_held = {scope_id for scope, scope_id, _ in still_held if scope == "batch"}
        expect(not batches_held & {_batch_of(world, each) for each in claimed}, "nor is its batch", still_held)
        expect(len(claimed) == 1 or not any(each.is_suspect for each in claimed), "a suspect goes alone", claimed)
    return claimed


def _held(world: World) -> set[tuple[str, str, datetime]]:
    with world.database.reading() as connection:
        standing = holds.standing(connection, world.clock.now + world.clock.skew)
    # A provider that has fallen silent is held, but for one task at a time.
    return {(hold.scope, hold.scope_id, hold.since) for hold in standing if hold.reason != SILENCE}


def _batch_of(world: World, claimed: Claim) -> str:
    subject = world.signer.verify(token_of(claimed.submission))
    return show("batch", subject.batch_id) if subject else ""


def send(world: World, runtime: Runtime, claimed: Claim, is_held: threading.Event) -> Sent:
    """Send one, and see that it can be over before its lease is."""
    sent = runtime.sending[PROVIDER].start(submission.send(runtime, claimed, is_held)).result()
    over_at = sent.sent_at + timedelta(seconds=world.settings.submit_timeout_seconds)
    expect(sent.outcome is None or over_at <= claimed.lease_until, "it is over before its lease is", sent)
    return sent


# --- what the provider does ---


def call_back(world: World, runtime: Runtime, task: Task, says: Says, copy: int = 0) -> str:
    """Deliver a body; what the provider is answered."""
    body = body_of(task, says, copy)
    answer = _answer(runtime, body, callbacks.take(runtime, task.subject, body))
    if answer == "200":
        _tell(world, task, body, says)
    return answer


def call_back_together(world: World, runtime: Runtime, said: Sequence[tuple[Task, Says]]) -> str:
    """Deliver several in one group; what the provider is answered to each."""
    bodies = [(task, body_of(task, says), says) for task, says in said]
    with cast("Commits", runtime.callback_commits).together():
        taken = [callbacks.take(runtime, task.subject, body) for task, body, _ in bodies]
    answers = [_answer(runtime, body, kept) for (_, body, _), kept in zip(bodies, taken, strict=True)]
    for answer, (task, body, says) in zip(answers, bodies, strict=True):
        if answer == "200":
            _tell(world, task, body, says)
    return ", ".join(answers)


def _answer(runtime: Runtime, body: bytes, kept: Future[Kept]) -> str:
    try:
        callbacks.settle(runtime, body, kept.result())
    except NotFound:
        return "404"
    except DatabaseUnavailable:
        return "503"
    return "200"


def _tell(world: World, task: Task, body: bytes, says: Says) -> None:
    world.ledger.told[Told(task, hashlib.sha256(body).hexdigest(), says is Says.ANSWER)] += 1
