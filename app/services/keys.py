"""API keys: made once, kept as a hash, rotated, revoked for good."""

import hashlib
import logging
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.db import Connection
from app.errors import Conflict, DatabaseUnavailable, InvalidInput, NotAllowed, NotAuthenticated, NotFound, Problem
from app.ids import new_id, show
from app.runtime import Runtime
from app.services import audit
from app.services.audit import By
from app.services.status import read_cursor
from app.services.views import KeyView, NewKey, Page
from app.states import Scope
from app.store import keys

OVERLAP = timedelta(hours=24)
"""How long a key opens on, beside the one that took its place."""

_PREFIX = "hb_"
_NOTED_AGAIN = timedelta(minutes=1)
_CLI = By("cli")

logger = logging.getLogger(__name__)


def authenticate(runtime: Runtime, secret: str, needed: Scope) -> str:
    """The owner that a key speaks for.

    Raises:
        NotAuthenticated: the key is unknown or revoked.
        NotAllowed: it is not for what is needed.
    """
    now = runtime.moment().now
    with runtime.database.reading() as connection:
        row = keys.by_hash(connection, _hash(secret))
    if row is None or (row.revoked_at is not None and row.revoked_at <= now):
        raise NotAuthenticated("The API key is unknown or revoked.")
    if needed not in _scopes(row):
        raise NotAllowed(f"The API key may not {needed.value}; its scopes are: {', '.join(_scopes(row))}.")
    _note_use(runtime, row, now)
    owner: str = row.owner
    return owner


def _note_use(runtime: Runtime, row: Any, now: datetime) -> None:
    """At most once a minute. What is only for information refuses nobody: a read is answered by a full disk too."""
    if row.last_used_at is not None and now - row.last_used_at < _NOTED_AGAIN:
        return
    try:
        with runtime.database.transaction() as connection:
            keys.note_use(connection, row.id, now, unless_since=now - _NOTED_AGAIN)
    except DatabaseUnavailable as error:
        logger.warning("key_use_not_noted", extra={"trouble": error.trouble})


def create(
    runtime: Runtime,
    owner: str,
    name: str,
    *,
    scopes: Collection[Scope] = tuple(Scope),
    by: By = _CLI,
    key_id: UUID | None = None,
) -> NewKey:
    """A new key for an owner, who may have several; `key_id` for one that must not be made twice.

    Raises:
        InvalidInput: the owner's name is empty or too long, or there is no scope.
        Conflict: there is a key with this id.
    """
    if not scopes:
        raise InvalidInput([Problem("A key without a scope opens nothing.", "/scopes")])
    row = _row(owner, name, scopes, runtime.moment().now) | ({"id": key_id} if key_id else {})
    secret = _PREFIX + secrets.token_urlsafe(32)
    view, is_new = _keep(runtime, row, secret, by)
    if not is_new:
        raise Conflict("This key was made already; its secret is not shown again.")
    return NewKey(view, secret)


def ensure(runtime: Runtime, owner: str, name: str, secret: str) -> KeyView:
    """Make sure that `secret` is a key. One that was revoked stays so."""
    return _keep(runtime, _row(owner, name, tuple(Scope), runtime.moment().now), secret, _CLI)[0]


def listing(runtime: Runtime) -> tuple[KeyView, ...]:
    """All keys, oldest first, without their secrets."""
    with runtime.database.reading() as connection:
        return tuple(_view(row) for row in keys.listing(connection))


def page(runtime: Runtime, cursor: str | None, limit: int) -> Page[KeyView]:
    """Up to `limit` keys, newest first, without their secrets.

    Raises:
        InvalidInput: `cursor` is none of ours.
    """
    before = None if cursor is None else read_cursor("key", cursor)
    with runtime.database.reading() as connection:
        rows = keys.page(connection, before, limit + 1)
    views = tuple(map(_view, rows[:limit]))
    return Page(views, show("key", views[-1].id) if len(rows) > limit else None)


def rotate(runtime: Runtime, key_id: UUID, *, keeps_old: bool, by: By) -> NewKey:
    """A new key in the place of one, which opens for another 24 hours, or not any more.

    Raises:
        NotFound: no such key.
        Conflict: it is revoked, or was rotated.
    """
    now, secret = runtime.moment().now, _PREFIX + secrets.token_urlsafe(32)
    with runtime.database.transaction() as connection:
        old = _locked(connection, key_id)
        if old.revoked_at is not None:
            raise Conflict("The key is revoked, or was rotated already.")
        row = _row(old.owner, old.name, _scopes(old), now) | _of_secret(secret)
        keys.add(connection, row)
        keys.revoke(connection, key_id, now + OVERLAP if keeps_old else now, now)
        audit.add(connection, now, by, "key.rotate", show("key", key_id), owner=old.owner, new=show("key", row["id"]))
        stored = keys.get(connection, row["id"])
    return NewKey(_view(stored), secret)


def revoke(runtime: Runtime, key_id: UUID, by: By = _CLI) -> KeyView:
    """From now on the key opens nothing.

    Raises:
        NotFound: no such key.
    """
    now = runtime.moment().now
    with runtime.database.transaction() as connection:
        owner = _locked(connection, key_id).owner
        if keys.revoke(connection, key_id, now, now):
            audit.add(connection, now, by, "key.revoke", show("key", key_id), owner=owner)
        return _view(keys.get(connection, key_id))


def _keep(runtime: Runtime, row: dict[str, Any], secret: str, by: By) -> tuple[KeyView, bool]:
    """The key with this secret, or else this id, and whether it is new."""
    row |= _of_secret(secret)
    with runtime.database.transaction() as connection:
        is_new = keys.add(connection, row)
        stored = keys.by_hash(connection, row["sha256"]) or keys.get(connection, row["id"])
        if is_new:
            audit.add(connection, row["created_at"], by, "key.create", show("key", row["id"]), owner=row["owner"])
    return _view(stored), is_new


def _row(owner: str, name: str, scopes: Collection[Scope], now: datetime) -> dict[str, Any]:
    if not 1 <= len(owner) <= 64:
        raise InvalidInput([Problem("An owner's name has 1 to 64 characters.", "/owner", limit=64, value=owner)])
    kept = [scope for scope in Scope if scope in scopes]
    return {"id": new_id(), "owner": owner, "name": name[:100], "scopes": kept, "created_at": now}


def _of_secret(secret: str) -> dict[str, str]:
    return {"sha256": _hash(secret), "hint": f"{secret[:6]}…"}


def _hash(secret: str) -> str:
    # The secrets are 256 random bits, so a plain hash can't be reversed by guessing.
    return hashlib.sha256(secret.encode()).hexdigest()


def _locked(connection: Connection, key_id: UUID) -> Any:
    row = keys.lock(connection, key_id)
    if row is None:
        raise NotFound("key", show("key", key_id))
    return row


def _scopes(row: Any) -> tuple[Scope, ...]:
    """Those of a key; a version before this one knew none, and its keys may do everything."""
    return tuple(Scope) if row.scopes is None else tuple(Scope(each) for each in row.scopes)


def _view(row: Any) -> KeyView:
    return KeyView(
        id=row.id,
        owner=row.owner,
        name=row.name,
        scopes=_scopes(row),
        hint=row.hint,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
