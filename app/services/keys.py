"""API keys: made once, kept as a hash, revoked for good."""

import hashlib
import secrets
from typing import Any
from uuid import UUID

from app.errors import InvalidInput, NotAuthenticated, NotFound, Problem
from app.ids import new_id
from app.runtime import Runtime
from app.services.views import KeyView, NewKey
from app.store import audit, keys

_PREFIX = "hb_"


def authenticate(runtime: Runtime, secret: str) -> str:
    """The owner that a key speaks for.

    Raises:
        NotAuthenticated: the key is unknown or revoked.
    """
    with runtime.database.reading() as connection:
        row = keys.by_hash(connection, _hash(secret))
    if row is None or row.revoked_at is not None:
        raise NotAuthenticated("The API key is unknown or revoked.")
    owner: str = row.owner
    return owner


def create(runtime: Runtime, owner: str, name: str) -> NewKey:
    """A new key for an owner, who may have several.

    Raises:
        InvalidInput: the owner's name is empty or too long.
    """
    secret = _PREFIX + secrets.token_urlsafe(32)
    return NewKey(ensure(runtime, owner, name, secret), secret)


def ensure(runtime: Runtime, owner: str, name: str, secret: str) -> KeyView:
    """Make sure that `secret` is a key. One that was revoked stays so."""
    if not 1 <= len(owner) <= 64:
        raise InvalidInput([Problem("An owner's name has 1 to 64 characters.", "/owner", limit=64, value=owner)])
    now = runtime.moment().now
    row: dict[str, Any] = {
        "id": new_id(),
        "owner": owner,
        "name": name[:100],
        "sha256": _hash(secret),
        "hint": f"{secret[:6]}…",
        "created_at": now,
    }
    with runtime.database.transaction() as connection:
        is_new = keys.add(connection, row)
        stored = keys.by_hash(connection, row["sha256"])
        if is_new:
            audit.add(connection, now, "cli", "key.create", str(row["id"]), owner=owner)
    return _view(stored)


def listing(runtime: Runtime) -> tuple[KeyView, ...]:
    """All keys, oldest first, without their secrets."""
    with runtime.database.reading() as connection:
        return tuple(_view(row) for row in keys.listing(connection))


def revoke(runtime: Runtime, key_id: UUID) -> KeyView:
    """From now on the key opens nothing.

    Raises:
        NotFound: no such key.
    """
    now = runtime.moment().now
    with runtime.database.transaction() as connection:
        keys.revoke(connection, key_id, now)
        row = keys.get(connection, key_id)
        if row is None:
            raise NotFound("key", str(key_id))
        audit.add(connection, now, "cli", "key.revoke", str(key_id), owner=row.owner)
    return _view(row)


def _hash(secret: str) -> str:
    # The secrets are 256 random bits, so a plain hash can't be reversed by guessing.
    return hashlib.sha256(secret.encode()).hexdigest()


def _view(row: Any) -> KeyView:
    return KeyView(
        id=row.id,
        owner=row.owner,
        name=row.name,
        hint=row.hint,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
