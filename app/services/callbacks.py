"""Callbacks: the provider is told 200 only when what it sent is authenticated, kept and committed."""

from concurrent.futures import Future

from app.errors import InputTooLarge, NotFound
from app.providers.base import Unreadable
from app.runtime import Runtime
from app.services import inbox
from app.services.received import read
from app.tokens import CallbackSubject

KEPT_OF_TOO_LARGE = 64 * 1024


def receive(runtime: Runtime, token: str, body: bytes) -> None:
    """Take one callback from Hive: `body` as it came, or its first `max_callback_bytes` + 1 bytes.

    Returns after the commit that holds it, whatever it said.

    Raises:
        NotFound: the token is bad, foreign or outdated, or its batch was removed; nothing is kept.
        InputTooLarge: the body is too long; its first 64 KB are kept as invalid.
        DatabaseUnavailable: it could not be kept; the provider may try again.
    """
    subject = runtime.signer.verify(token)
    if subject is None:
        raise NotFound("callback", "")
    settle(runtime, body, take(runtime, subject, body).result())


def take(runtime: Runtime, subject: CallbackSubject, body: bytes) -> Future[inbox.Kept]:
    """The same for a token that was verified, without waiting: done after the commit, to be given to `settle`."""
    limit = runtime.settings.max_callback_bytes
    is_too_large = len(body) > limit
    reading = Unreadable(f"longer than {limit} bytes") if is_too_large else None
    part = body[:KEPT_OF_TOO_LARGE] if is_too_large else body
    return inbox.keep(runtime, read(runtime, subject, "hive_v2", part, reading=reading))


def settle(runtime: Runtime, body: bytes, kept: inbox.Kept) -> None:
    """Say what is wrong with a body that was taken. Raises as `receive`."""
    if kept.outcome is None:
        raise NotFound("callback", "")
    limit = runtime.settings.max_callback_bytes
    if len(body) > limit:
        raise InputTooLarge(limit, "callback")
