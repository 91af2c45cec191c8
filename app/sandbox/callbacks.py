"""Sends callbacks when they are due, a bounded number of them at the same time."""

import heapq
import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Condition, Event, Thread, local

import requests

from app.sandbox.tasks import SentCallback

IDLE_SECONDS = 2.0


@dataclass
class Delivery:
    """One callback to send."""

    url: str
    kind: str
    due: float
    """On the monotonic clock."""
    body: Callable[[], bytes]
    """Called when it is sent, so that a repeat can carry the time."""
    record: Callable[[SentCallback], None]
    """Told how it went."""
    lets_others_past: bool = False
    """Wait for another callback to be sent first, until `due` at the latest."""
    done: Event = field(default_factory=Event)
    """Set when it was sent, or when it never will be."""


class Courier:
    """One thread that watches the clock and a pool that sends; both start with the first callback.

    The receiver's answer is written down and never acted on: the vendor documents no retry.
    """

    def __init__(self, workers: int, timeout: float) -> None:
        self._workers, self._timeout = workers, timeout
        self._changed = Condition()
        self._waiting: list[tuple[float, int, Delivery]] = []
        self._numbers = itertools.count()
        self._thread: Thread | None = None
        self._is_closed = False
        self._unfinished = 0
        self._own = local()
        self._sessions: list[requests.Session] = []

    def schedule(self, delivery: Delivery) -> None:
        """Send this callback when it is due; after `close` it is dropped."""
        with self._changed:
            if self._is_closed:
                delivery.done.set()
                return
            if self._thread is None:
                self._start()
            heapq.heappush(self._waiting, (delivery.due, next(self._numbers), delivery))
            self._unfinished += 1
            self._changed.notify_all()

    def settle(self, seconds: float) -> bool:
        """Wait until every callback was sent, so many seconds at most; say whether it is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._unfinished == 0, seconds)

    def drop_waiting(self) -> None:
        """Forget every callback that isn't being sent yet."""
        with self._changed:
            for _, _, delivery in self._waiting:
                delivery.done.set()
            self._unfinished -= len(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()

    def close(self) -> None:
        """Drop what waits, let what is being sent end, and end all threads."""
        self.drop_waiting()
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._pool.shutdown()
        for session in self._sessions:
            session.close()

    def _start(self) -> None:
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="sandbox-callback")
        self._thread = Thread(target=self._watch, name="sandbox-courier", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while (delivery := self._next_due()) is not None:
            self._pool.submit(self._send, delivery)

    def _next_due(self) -> Delivery | None:
        with self._changed:
            while not self._is_closed:
                seconds = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if seconds is not None and seconds <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(seconds)
        return None

    def _send(self, delivery: Delivery) -> None:
        sent_at = datetime.now(UTC)
        try:
            status, error = self._post(delivery.url, delivery.body())
            delivery.record(SentCallback(delivery.kind, sent_at, status, error))
        finally:
            delivery.done.set()
            self._finished_one()
        if not delivery.lets_others_past:
            self._release_overtaken()

    def _finished_one(self) -> None:
        with self._changed:
            self._unfinished -= 1
            self._changed.notify_all()

    def _post(self, url: str, body: bytes) -> tuple[int | None, str | None]:
        headers = {"Content-Type": "application/json", "User-Agent": "hive-sandbox"}
        try:
            with self._session().post(
                url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                return response.status_code, None
        except requests.RequestException as error:
            return None, type(error).__name__
        finally:
            self._own.used = time.monotonic()

    def _session(self) -> requests.Session:
        """This thread's session. Idle connections are not used again: the receiver may be about to hang up."""
        session: requests.Session | None = getattr(self._own, "session", None)
        if session is None:
            session = self._own.session = requests.Session()
            session.trust_env = False
            self._sessions.append(session)
        elif time.monotonic() - self._own.used > IDLE_SECONDS:
            session.close()
        return session

    def _release_overtaken(self) -> None:
        with self._changed:
            overtaken = [entry for entry in self._waiting if entry[2].lets_others_past]
            if overtaken:
                self._waiting = [entry for entry in self._waiting if not entry[2].lets_others_past]
                heapq.heapify(self._waiting)
                for _, number, delivery in overtaken:
                    heapq.heappush(self._waiting, (time.monotonic(), number, delivery))
                self._changed.notify_all()
