"""Callbacks as operators see them: lists, one of them, and its body for whoever is written down as its reader."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.errors import NotFound
from app.ids import show
from app.providers.base import Answer, Failure, Reading, Unreadable
from app.runtime import Runtime
from app.services import audit, byhand
from app.services.audit import By
from app.services.status import read_cursor
from app.services.views import Page
from app.states import Outcome
from app.store import callbacklists, orphans

SHOWN_BYTES = 20_000
MOST_NEWER = 100

TABS: Mapping[str, Sequence[Outcome]] = {
    "to look at": (Outcome.ORPHAN, Outcome.INVALID, Outcome.CONFLICT),
    **{str(outcome): (outcome,) for outcome in (Outcome.ORPHAN, Outcome.INVALID, Outcome.CONFLICT, Outcome.LATE)},
    "all": (),
}
"""Lists by what became of the callbacks; the first is of those that somebody may have to do something about."""


@dataclass(frozen=True, slots=True)
class CallbackRow:
    """A callback without its body. `seconds` from the submit of its attempt until it came; `number` is the attempt's.

    Without a token it may be anybody's. An orphan has neither job nor attempt here.
    """

    id: UUID
    batch_id: UUID
    job_id: UUID | None
    custom_id: str | None
    attempt_id: UUID | None
    number: int | None
    provider: str
    source: str
    outcome: str
    detail: str | None
    times: int
    bytes: int
    sha256: str
    seconds: float | None
    received_at: datetime
    last_received_at: datetime
    rematch_at: datetime | None
    discarded_at: datetime | None

    @property
    def has_token(self) -> bool:
        return self.source != orphans.UNPROVEN


@dataclass(frozen=True, slots=True)
class CallbackDetail:
    """One callback. `says`: what it is, as we read; `metadata`: whose it says it is; `text`: None unless asked for."""

    row: CallbackRow
    says: str
    metadata: str | None
    text: str | None = None
    is_cut: bool = False


def listing(
    runtime: Runtime, tab: str, cursor: str | None, limit: int, *, top: str | None = None
) -> tuple[Page[CallbackRow], int]:
    """Up to `limit` callbacks of a list, newest first, from behind `cursor`, or from `top` on; and how many are newer
    than that, counted up to 100.

    Raises:
        InvalidInput: `cursor` or `top` is none of ours.
    """
    first = None if top is None else read_cursor("callback", top)
    before = None if cursor is None else read_cursor("callback", cursor)
    if first is not None:
        before = UUID(int=first.int + 1)
    with runtime.database.reading() as connection:
        ids = callbacklists.newest(connection, TABS[tab], before, limit + 1)
        rows = callbacklists.rows(connection, ids[:limit])
        newest = callbacklists.newest(connection, TABS[tab], None, MOST_NEWER) if first is not None else ()
    newer = sum(first is not None and id_ > first for id_ in newest)
    return Page(tuple(map(_row, rows)), show("callback", ids[limit - 1]) if len(ids) > limit else None), newer


def detail(runtime: Runtime, callback_id: UUID) -> CallbackDetail:
    """One callback, and what today's reader makes of it, without its body.

    Raises:
        NotFound: no such callback.
    """
    row, body = _found(runtime, callback_id)
    if row.source == byhand.OPERATOR:
        return CallbackDetail(_row(row), "an answer that an operator wrote", None)
    provider = runtime.providers.get(row.provider)
    return CallbackDetail(_row(row), *says(provider.read(body) if provider else None))


def opened(runtime: Runtime, callback_id: UUID, by: By) -> CallbackDetail:
    """The same with the beginning of its body, once it is written down who reads it.

    Raises:
        NotFound: no such callback.
    """
    found = detail(runtime, callback_id)
    audit.note(runtime, by, "callback.read", show("callback", callback_id))
    _, body = _found(runtime, callback_id)
    text = body[:SHOWN_BYTES].decode("utf-8", "replace")
    return replace(found, text=text, is_cut=len(body) > SHOWN_BYTES)


def _found(runtime: Runtime, callback_id: UUID) -> tuple[Any, bytes]:
    with runtime.database.reading() as connection:
        row = callbacklists.get(connection, callback_id)
        whole = callbacklists.whole(connection, callback_id)
    if row is None or whole is None:
        raise NotFound("callback", show("callback", callback_id))
    return row, bytes(whole.body)


def says(reading: Reading | None) -> tuple[str, str | None]:
    """What a body is, as it was read, and whose it says it is; None: nobody here can read it."""
    match reading:
        case Answer(origin=origin):
            return "an answer", origin.metadata
        case Failure(origin=origin, code=code):
            return f"a failure: {code}", origin.metadata
        case Unreadable(reason=reason):
            return f"nothing that can be read: {reason}", None
        case None:
            return "nothing that can be read: its provider is not configured any more", None


def _row(row: Any) -> CallbackRow:
    came_after = (row.received_at - row.sent_at).total_seconds() if row.sent_at is not None else None
    return CallbackRow(
        id=row.id,
        batch_id=row.batch_id,
        job_id=row.job_id,
        custom_id=row.custom_id,
        attempt_id=row.attempt_id,
        number=row.number,
        provider=row.provider,
        source=row.source,
        outcome=row.outcome,
        detail=row.detail,
        times=row.times,
        bytes=row.bytes,
        sha256=row.sha256,
        seconds=None if came_after is None else max(0.0, came_after),
        received_at=row.received_at,
        last_received_at=row.last_received_at,
        rematch_at=row.rematch_at,
        discarded_at=row.discarded_at,
    )
