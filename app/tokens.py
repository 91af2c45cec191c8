"""What HMAC proves: which attempt a callback is for, who answers an echo, whose a manifest is, which key it was."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

_KEY_ID_BYTES = 4
_MAC_BYTES = 20
_NONCE_BYTES = 16


@dataclass(frozen=True, slots=True)
class CallbackSubject:
    """What a token speaks of."""

    batch_id: UUID
    attempt_id: UUID


class TokenSigner:
    """Makes and checks tokens. The first key signs; all are accepted, so that a key can be rotated."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keyring = _Keyring(b"hivebatch callback token\0", keys, content_bytes=32)

    def sign(self, subject: CallbackSubject) -> str:
        """A URL-safe token of 75 characters."""
        return self._keyring.sign(subject.batch_id.bytes + subject.attempt_id.bytes)

    def verify(self, token: str) -> CallbackSubject | None:
        """The subject of a good token, None for any other. Takes the same time wherever the MAC differs."""
        signed = self._keyring.read(token)
        if signed is None:
            return None
        content, _ = signed
        return CallbackSubject(UUID(bytes=content[:16]), UUID(bytes=content[16:]))


class EchoSigner:
    """Makes questions and their answers, with keys that are good for nothing else and rotate as those above.

    Only who has the key can ask, so the answer tells a stranger nothing; and only who has it can answer.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keyring = _Keyring(b"hivebatch echo\0", keys, content_bytes=_NONCE_BYTES)

    def question(self) -> str:
        """A URL-safe token that was never used before."""
        return self._keyring.sign(secrets.token_bytes(_NONCE_BYTES))

    def answer(self, question: str) -> str | None:
        """The proof that answers a question; None if nobody here asked it."""
        signed = self._keyring.read(question)
        if signed is None:
            return None
        content, key = signed
        # Longer than what a question signs, so neither can be passed off as the other.
        return _encode(_mac(key, b"answer\0" + content + _key_id(key)))


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


class Fingerprints:
    """Tell whether a secret is the one of before, and keep nothing from which it can be found out.

    HMAC-SHA-256, cut to 40 hexadecimal digits, with keys that are good for nothing else and rotate as those above.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._signing_key, self._keys = _derived(b"hivebatch fingerprint\0", keys)

    def of(self, secret: str) -> str:
        """What is kept of it."""
        return _mac(self._signing_key, secret.encode()).hex()

    def all_of(self, secret: str) -> Sequence[str]:
        """What may have been kept of it, as it may have been under a key that is no longer the first."""
        return [_mac(key, secret.encode()).hex() for key in self._keys.values()]


class _Keyring:
    """The keys of one purpose, and the tokens of so many bytes that they sign."""

    def __init__(self, purpose: bytes, keys: Sequence[str], content_bytes: int) -> None:
        self._signing_key, self._keys = _derived(purpose, keys)
        self._token_bytes = content_bytes + _KEY_ID_BYTES + _MAC_BYTES

    def sign(self, content: bytes) -> str:
        payload = content + _key_id(self._signing_key)
        return _encode(payload + _mac(self._signing_key, payload))

    def read(self, token: str) -> tuple[bytes, bytes] | None:
        """What a good token says and the key that signed it; None for any other."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if len(raw) != self._token_bytes or _encode(raw) != token:
            return None  # base64 has several spellings of the same bytes; a token has one
        payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        key = self._keys.get(payload[-_KEY_ID_BYTES:])
        if key is None or not hmac.compare_digest(_mac(key, payload), mac):
            return None
        return payload[:-_KEY_ID_BYTES], key


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
