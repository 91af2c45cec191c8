"""Submission: claim what can be sent at once, send it, have it written down, until nothing is left to claim."""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import timedelta

from app.clock import now
from app.errors import DatabaseUnavailable
from app.ids import show
from app.providers.base import Held, Unknown
from app.providers.dialogues import Dialogue
from app.runtime import Runtime
from app.services.claims import Claim, Sent, claim
from app.services.outcomes import record_patiently

logger = logging.getLogger(__name__)

MOST_AHEAD = 500
GATHER_SECONDS = 0.05
LOOK_AGAIN_SECONDS = 0.1


def drain(runtime: Runtime, provider: str) -> bool:
    """Submit this provider's jobs until none can be claimed; False if another thread of this process is at it.

    A ring that comes while it runs makes it look once more. The jobs of a provider that is no longer configured wait.
    """
    if provider not in runtime.providers:
        return True
    return runtime.drains.run(provider, lambda: _Drain(runtime, provider).run())


class _Drain:
    """One run over a provider's queue.

    It claims ahead of its connections, at most what was sent in the last second, so that a claim is worth its
    transaction and no claimed job waits long; it claims again when half of that is sent. What becomes of the submits
    is written down in groups.
    """

    def __init__(self, runtime: Runtime, provider: str) -> None:
        self._runtime = runtime
        self._provider = provider
        self._outstanding: dict[Future[Sent], Claim] = {}
        self._finished = _Finished()
        self._settings = runtime.settings.every_provider[provider]
        self._ahead = self._settings.connections
        self._claimed_at = time.monotonic()
        self._sent_since = 0
        self._is_held = threading.Event()

    def run(self) -> None:
        try:
            self._run()
        finally:
            self._write_down_the_rest()

    def _run(self) -> None:
        while True:
            for claimed in self._claim():
                self._start(claimed)
            if not self._outstanding:
                return
            group = self._gather()
            self._sent_since += len(group)
            sent = [result(future, self._outstanding.pop(future)) for future in group]
            if sent and record_patiently(self._runtime, sent):
                self._is_held.set()
            self._take_back()

    def _write_down_the_rest(self) -> None:
        """If a fault of ours has ended the run: what is on its way has an answer, perhaps one that was paid for."""
        for future in self._outstanding:
            future.cancel()
        if self._outstanding:
            record_patiently(self._runtime, [result(future, claimed) for future, claimed in self._outstanding.items()])

    def _start(self, claimed: Claim) -> None:
        delay_seconds = (claimed.send_at - now()).total_seconds()
        future = self._runtime.sending[self._provider].start(send(self._runtime, claimed, self._is_held), delay_seconds)
        self._outstanding[future] = claimed
        future.add_done_callback(self._finished.add)

    def _claim(self) -> Sequence[Claim]:
        # A job that may have killed its last worker travels alone, so that it takes no neighbours with it.
        has_suspect = any(claimed.is_suspect for claimed in self._outstanding.values())
        is_held = self._is_held.is_set() and bool(self._outstanding)
        if len(self._outstanding) > self._ahead // 2 or has_suspect or is_held or self._runtime.stopping.is_set():
            return ()
        self._keep_pace()
        if not self._outstanding:
            self._is_held.clear()
        room = self._ahead - len(self._outstanding)
        try:
            return claim(self._runtime, self._provider, room, is_idle=not self._outstanding)
        except DatabaseUnavailable:
            if not self._outstanding:
                raise
            # What is on its way has an answer that must be written down: a task id that is lost can't be asked for.
            logger.warning("claim_postponed", exc_info=True)
            return ()

    def _take_back(self) -> None:
        """What waits for its turn and would not be sent in time, or at all, goes back unsent now.

        The provider may have become slow, so that leases run out, or have said stop; or the process ends.
        """
        is_over = self._runtime.stopping.is_set() or self._is_held.is_set()
        soonest = now() + timedelta(seconds=self._settings.submit_timeout_seconds)
        for future, claimed in self._outstanding.items():
            if is_over or claimed.lease_until < soonest:
                future.cancel()  # one that has begun is not cancelled by this

    def _keep_pace(self) -> None:
        now_seconds = time.monotonic()
        per_second = self._sent_since / max(now_seconds - self._claimed_at, 0.001)
        self._ahead = min(MOST_AHEAD, max(self._settings.connections, int(per_second)))
        self._claimed_at, self._sent_since = now_seconds, 0

    def _gather(self) -> Sequence[Future[Sent]]:
        """Wait for the next submit to end, and a moment for company: nobody waits for an ack to be written.

        The moment is over when so many have ended that more can be claimed. Nothing, if the first takes long: one
        slow answer must not keep new jobs from the connections that are free.
        """
        self._finished.wait_for(1, LOOK_AGAIN_SECONDS)
        too_many = len(self._outstanding) - self._ahead // 2
        self._finished.wait_for(too_many if too_many > 0 else len(self._outstanding), GATHER_SECONDS)
        return self._finished.take()


class _Finished:
    """Submits that have ended. Who waits for many is woken once, not by each."""

    def __init__(self) -> None:
        self._futures: deque[Future[Sent]] = deque()
        self._wanted = 1
        self._are_enough = threading.Event()

    def add(self, future: Future[Sent]) -> None:
        self._futures.append(future)
        if len(self._futures) >= self._wanted:
            self._are_enough.set()

    def wait_for(self, number: int, timeout_seconds: float) -> None:
        self._wanted = number
        self._are_enough.clear()
        if len(self._futures) < number:  # what was added before the clearing is seen here
            self._are_enough.wait(timeout_seconds)

    def take(self) -> Sequence[Future[Sent]]:
        return [self._futures.popleft() for _ in range(len(self._futures))]


def send(runtime: Runtime, claimed: Claim, is_held: threading.Event) -> Dialogue[Sent]:
    """Begins when a connection is free and its slot of the rate has come; holds no connection to the database.

    `is_held`: the provider, or its breaker, told this drain to stop; what it claimed ahead is not sent after that.
    """
    sent_at = now()
    allowed = runtime.settings.every_provider[claimed.provider].submit_timeout_seconds
    latest = claimed.lease_until - timedelta(seconds=allowed)
    if runtime.stopping.is_set() or is_held.is_set() or sent_at > latest:
        return Sent(claimed, sent_at, None)
    outcome = yield from runtime.providers[claimed.provider].submit(claimed.submission)
    if isinstance(outcome, Held):
        is_held.set()
    return Sent(claimed, sent_at, outcome)


def result(future: Future[Sent], claimed: Claim) -> Sent:
    """What became of a claim, once that is known."""
    if future.cancelled():
        return Sent(claimed, now(), None)
    error = future.exception()
    if error is None:
        return future.result()
    logger.error("submit_broke", exc_info=error, extra={"attempt_id": show("attempt", claimed.attempt_id)})
    return Sent(claimed, now(), Unknown("internal_error", f"{type(error).__name__} while submitting"))
