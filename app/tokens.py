"""What is proven by HMAC: which attempt a callback is for, before the database is asked, and whose a manifest is."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
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
        self._signing_key, self._keys = _derived(b"hivebatch callback token\0", keys)

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


class ManifestSigner:
    """Signs and checks manifests (HMAC-SHA-256), with keys that are good for nothing else and rotate as those above."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._signing_key, self._keys = _derived(b"hivebatch manifest\0", keys)

    @property
    def key_id(self) -> str:
        """Names the key that signs: 8 hexadecimal digits."""
        return _key_id(self._signing_key).hex()

    def sign(self, content: bytes) -> str:
        """64 hexadecimal digits."""
        return hmac.digest(self._signing_key, content, "sha256").hex()

    def verify(self, content: bytes, key_id: str, signature: str) -> bool | None:
        """Whether the key of this name signed this; None: we don't have that key."""
        key = next((key for known, key in self._keys.items() if known.hex() == key_id), None)
        if key is None:
            return None
        return hmac.compare_digest(hmac.digest(key, content, "sha256").hex().encode(), signature.encode())


def _derived(purpose: bytes, keys: Sequence[str]) -> tuple[bytes, Mapping[bytes, bytes]]:
    """The signing key of a purpose, and by their ids all that are accepted: what one signs, no other accepts."""
    if not keys:
        raise ValueError("a signature needs at least one key")
    derived = [hashlib.sha256(purpose + key.encode()).digest() for key in keys]
    return derived[0], {_key_id(key): key for key in derived}


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _mac(key: bytes, payload: bytes) -> bytes:
    return hmac.digest(key, payload, "sha256")[:_MAC_BYTES]


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"id\0" + key).digest()[:_KEY_ID_BYTES]
