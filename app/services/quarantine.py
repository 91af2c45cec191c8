"""Quarantine: callbacks without a token, kept for a person to judge; only where the settings say so."""

import hashlib
from contextlib import suppress
from uuid import UUID

from app.db import Connection
from app.errors import InputTooLarge, NotFound, QuarantineFull
from app.ids import new_id, read, show
from app.providers.base import Origin, Unreadable
from app.runtime import Runtime
from app.states import Outcome
from app.store import attempts, callbacks, jobs, orphans

PROVIDER = "hive_v2"
MOST_BYTES = 1_000_000
MOST_ROWS = 1000


def keep(runtime: Runtime, body: bytes) -> None:
    """Keep a body that proves nothing but names a task or a job of ours. It never moves a job by itself.

    `body` as it came, or its first `MOST_BYTES` + 1 bytes. One that is here already changes nothing.

    Raises:
        NotFound: the settings refuse such bodies, or it names nothing of ours.
        InputTooLarge: it is longer than `MOST_BYTES`; nothing is kept.
        QuarantineFull: `MOST_ROWS` wait to be looked at.
        DatabaseUnavailable: it could not be kept.
    """
    if runtime.settings.unauthenticated_callbacks != "quarantine":
        raise NotFound("callback", "")
    if len(body) > MOST_BYTES:
        raise InputTooLarge(MOST_BYTES, "callback")
    reading = runtime.providers[PROVIDER].read(body)
    origin = Origin() if isinstance(reading, Unreadable) else reading.origin
    sha256, now = hashlib.sha256(body).hexdigest(), runtime.moment().now
    with runtime.database.transaction() as connection:
        job_id, batch_id = _named(connection, origin)
        if orphans.is_known(connection, batch_id, sha256):
            return
        if orphans.unproven(connection, MOST_ROWS) >= MOST_ROWS:
            raise QuarantineFull(f"{MOST_ROWS} callbacks without a token wait to be looked at.")
        row = {
            "id": new_id(),
            "attempt_id": None,
            "job_id": None,
            "batch_id": batch_id,
            "provider": PROVIDER,
            "source": orphans.UNPROVEN,
            "received_at": now,
            "last_received_at": now,
            "body": body,
            "sha256": sha256,
            "times": 1,
            "outcome": Outcome.ORPHAN,
            "detail": f"no token; names {show('job', job_id)}",
        }
        callbacks.add(connection, [row])()  # orphans are in nobody's figures


def _named(connection: Connection, origin: Origin) -> tuple[UUID, UUID]:
    """The job, and its batch, that a body names by its metadata, else by its task. Raises NotFound: none."""
    candidates = [attempts.of_task(connection, task_id) for task_id in origin.task_ids]
    if origin.metadata is not None:
        with suppress(NotFound):
            candidates.insert(0, read("job", origin.metadata))
    for job_id in candidates:
        row = jobs.get(connection, None, job_id) if job_id is not None else None
        if row is not None:
            return row.id, row.batch_id
    raise NotFound("callback", "")
