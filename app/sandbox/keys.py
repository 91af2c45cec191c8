"""Which API keys are accepted, and which are refused with what status."""

from threading import Lock

from app.sandbox.refusals import Refusal

REASONS = {
    401: "Invalid API key",
    402: "Payment required: the account's credit is used up",
    403: "This key has no access to the project",
    405: "Payment required: the organisation's credit is used up",
}


class KeyRing:
    """The keys of one sandbox; safe to use from several threads."""

    def __init__(self, accepted: frozenset[str] | None) -> None:
        self._lock = Lock()
        self._configured = accepted
        self.reset()

    def reset(self) -> None:
        """Go back to the configured keys."""
        with self._lock:
            self._accepted = None if self._configured is None else set(self._configured)
            self._refused: dict[str, int] = {}

    def check(self, authorization: str | None, expected: str = "Token") -> None:
        """Accept or refuse an `Authorization: Token KEY` header, V3's is `Bearer`; the scheme's case doesn't matter.

        Raises:
            Refusal: 401, or the status the key was marked with.
        """
        scheme, _, key = (authorization or "").strip().partition(" ")
        key = key.strip()
        if scheme.lower() != expected.lower() or not key:
            raise Refusal(401, f"Authorization: {expected} <key> expected")
        with self._lock:
            is_known = self._accepted is None or key in self._accepted
            status = self._refused.get(key, 200 if is_known else 401)
        if status != 200:
            raise Refusal(status, REASONS[status])

    def refuse(self, key: str, status: int) -> None:
        """Refuse this key from now on, with one of the `REASONS`."""
        with self._lock:
            self._refused[key] = status

    def accept(self, key: str) -> None:
        """Accept this key from now on."""
        with self._lock:
            self._refused.pop(key, None)
            if self._accepted is not None:
                self._accepted.add(key)
