"""The guard at the login: looks at one password at a time, and at few wrong ones a minute."""

import math
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import SecretStr

from app import clock
from app.admin import passwords
from app.admin.sessions import Role

MAX_WRONG = 10
WINDOW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """As what a password lets in, None: it is wrong; or, with `wait_seconds`, it was not looked at."""

    role: Role | None = None
    wait_seconds: int = 0


class Guard:
    """Counts the wrong passwords of the last minute: those of each known browser, and those of all others together.

    A browser is known once somebody has logged in with it, so whoever guesses keeps out newcomers, and nobody who was
    here before (OWASP, Slow Down Online Guessing Attacks with Device Cookies). Addresses would not tell them apart:
    behind the proxy all have the proxy's, and one attacker may have many. It counts by process and not in the
    database, because whoever logs in while that is away has to be told so; with some processes there are some times
    as many guesses, which is nothing.

    One at a time, because each hash takes 19 MiB and some 30 ms; so strangers can take no more than that.
    """

    def __init__(self, configured: Mapping[Role, SecretStr]) -> None:
        self._configured = configured
        self._hashes: Mapping[Role, str] = {}
        self._wrong: dict[str | None, deque[datetime]] = {}
        self._lock = threading.Lock()

    def judge(self, given: str, browser: str | None) -> Verdict:
        """Look at a password that came from a known browser, or from one that is not (None)."""
        with self._lock:
            wait_seconds = self._wait_seconds(browser)
            if wait_seconds:
                return Verdict(wait_seconds=wait_seconds)
            found = self._role_of(given)
            if found is None:
                self._wrong.setdefault(browser, deque(maxlen=MAX_WRONG)).append(clock.now())
            return Verdict(found)

    def _role_of(self, given: str) -> Role | None:
        """The hash of a password that is configured as such is made when somebody first comes: most never need it."""
        self._hashes = self._hashes or {role: passwords.as_hash(secret) for role, secret in self._configured.items()}
        return next((role for role, encoded in self._hashes.items() if passwords.is_right(given, encoded)), None)

    def _wait_seconds(self, browser: str | None) -> int:
        now = clock.now()
        for each in [each for each, wrong in self._wrong.items() if now - wrong[-1] >= WINDOW]:
            del self._wrong[each]
        wrong = self._wrong.get(browser)
        if wrong is None or len(wrong) < MAX_WRONG:
            return 0
        return max(0, math.ceil((WINDOW - (now - wrong[0])).total_seconds()))
