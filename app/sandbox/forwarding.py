"""Has a real server write the answers, so that they come through the same faults as made-up ones."""

from collections.abc import Callable, Mapping
from threading import Lock

import requests

TIMEOUT_SECONDS = 300.0

Answerer = Callable[[Mapping[str, object]], str]
"""From the fields of a chat to the text of its answer; raises `NotForwarded`."""


class NotForwarded(Exception):
    """The real server gave no text."""


class Forwarder:
    """Asks a server that is compatible with OpenAI. Shared by threads."""

    def __init__(self, base_url: str, model: str, key: str | None) -> None:
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._model = model
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def __call__(self, chat: Mapping[str, object]) -> str:
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.post(
                    self._url, json={**chat, "model": self._model}, headers=self._headers, timeout=TIMEOUT_SECONDS
                )
            answer.raise_for_status()
            return str(answer.json()["choices"][0]["message"]["content"] or "")
        except (requests.RequestException, ValueError, LookupError, TypeError) as error:
            raise NotForwarded(type(error).__name__) from error


class Once:
    """The text of one answer, asked for when it is first wanted, by whichever thread. None: there is none."""

    def __init__(self, ask: Callable[[], str]) -> None:
        self._ask = ask
        self._lock = Lock()
        self._found: list[str | None] = []

    def __call__(self) -> str | None:
        with self._lock:
            if not self._found:
                try:
                    self._found.append(self._ask())
                except NotForwarded:
                    self._found.append(None)
            return self._found[0]
