"""Callback tokens: which attempt a callback is for, proven by HMAC before the database is asked."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

_KEY_ID_BYTES = 4
_MAC_BYTES = 20
_TOKEN_BYTES = 16 + 16 + _KEY_ID_BYTES + _MAC_BYTES


@dataclass(frozen=True, slots=True)
class CallbackSubject:
    """What a token speaks of."""

    batch_id: UUID
    attempt_id: UUID


class TokenSigner:
    """Makes and checks tokens. The first key signs; all are accepted, so that a key can be rotated."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("a token needs at least one signing key")
        derived = [hashlib.sha256(b"hivebatch callback token\0" + key.encode()).digest() for key in keys]
        self._signing_key = derived[0]
        self._keys = {_key_id(key): key for key in derived}

    def sign(self, subject: CallbackSubject) -> str:
        """A URL-safe token of 75 characters."""
        payload = subject.batch_id.bytes + subject.attempt_id.bytes + _key_id(self._signing_key)
        return _encode(payload + _mac(self._signing_key, payload))

    def verify(self, token: str) -> CallbackSubject | None:
        """The subject of a good token, None for any other. Takes the same time wherever the MAC differs."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if len(raw) != _TOKEN_BYTES or _encode(raw) != token:
            return None  # base64 has several spellings of the same bytes; a token has one
        payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        key = self._keys.get(payload[-_KEY_ID_BYTES:])
        if key is None or not hmac.compare_digest(_mac(key, payload), mac):
            return None
        return CallbackSubject(UUID(bytes=payload[:16]), UUID(bytes=payload[16:32]))


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _mac(key: bytes, payload: bytes) -> bytes:
    return hmac.digest(key, payload, "sha256")[:_MAC_BYTES]


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"id\0" + key).digest()[:_KEY_ID_BYTES]
