"""Passwords, which are only ever compared as Argon2id hashes (RFC 9106)."""

import argon2
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import SecretStr

from app.config import reveal

# OWASP, Password Storage Cheat Sheet: 19 MiB and two passes are enough, and little enough to be spent on strangers.
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hashed(password: str) -> str:
    """What to configure instead of the password: it can be checked, and not be read back."""
    return _HASHER.hash(password)


def as_hash(configured: SecretStr) -> str:
    """The hash that stands in a setting, or that of the password that stands there."""
    found = reveal(configured)
    return found if found.startswith("$argon2id$") else hashed(found)


def is_right(given: str, encoded: str) -> bool:
    """Whether this is the password of the hash."""
    try:
        return _HASHER.verify(encoded, given)
    except (VerificationError, InvalidHashError):
        return False
