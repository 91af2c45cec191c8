"""The doorbell: a message says "look now". The truth is in the database; a lost message costs one sweep."""

import logging
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from celery import Celery
from celery.exceptions import OperationalError

from app.clock import now
from app.config import Settings

__all__ = ["DRAIN", "Celery", "CeleryDoorbell", "Doorbell", "Ring", "SilentDoorbell", "make_celery", "try_ring"]

logger = logging.getLogger(__name__)

DRAIN = "hivebatch.drain"
_SPACING_SECONDS = 0.01

_REDIS_OPTIONS = {
    "visibility_timeout": 120,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "unacked_mutex_expire": 15,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 25,
}


def make_celery(settings: Settings) -> Celery:
    """The Celery app: JSON only, late acks, no results, no retries; the thread pool always."""
    celery = Celery("hivebatch", broker=settings.broker_url)
    in_memory = settings.broker_url.startswith("memory:")
    celery.conf.update(
        # kombu looks into an in-memory queue once a second unless told otherwise.
        broker_transport_options={"polling_interval": 0.01} if in_memory else _REDIS_OPTIONS,
        broker_connection_retry_on_startup=True,
        broker_pool_acquire_timeout=2,
        task_default_queue="hivebatch",
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_acks_late=True,
        task_publish_retry=True,
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0.1},
        worker_pool="threads",
        worker_concurrency=4,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=False,
        enable_utc=True,
    )
    return celery


def try_ring(settings: Settings, provider: str) -> str | None:
    """Ring once, now, through the broker of these settings; what went wrong, None if the broker took it."""
    with make_celery(settings) as celery:
        try:
            _ring(celery, provider)
        except (OperationalError, LookupError, ValueError) as error:  # the last two: a URL that makes no sense
            return f"{type(error).__name__}: {error}"
    return None


@dataclass(frozen=True, slots=True)
class Ring:
    """A ring of this process. `is_heard`: the broker took it."""

    at: datetime
    is_heard: bool


class Doorbell(Protocol):
    """Something that wakes the workers of a provider. `last` is its last ring, None before the first."""

    last: Ring | None

    def ring(self, provider: str) -> None:
        """Ask for a look at this provider's jobs; returns at once and never fails."""

    def close(self) -> None:
        """Stop ringing; what was not sent is left to the next sweep."""


class SilentDoorbell:
    """Wakes nobody: for a process whose jobs are found by the sweep alone."""

    last: Ring | None = None

    def ring(self, provider: str) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class CeleryDoorbell:
    """Rings through the broker, from a thread of its own, so that no request waits for a broker that is down.

    Rings for one provider that come while one is being sent become one. `failures` counts those that were lost.
    """

    def __init__(self, celery: Celery) -> None:
        self._celery = celery
        self._wanted: set[str] = set()
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        self.failures = 0
        self.last: Ring | None = None

    def ring(self, provider: str) -> None:
        with self._changed:
            self._wanted.add(provider)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closed)
                if self._closed:
                    return
                provider = self._wanted.pop()
            self._send(provider)
            with self._changed:
                self._changed.wait_for(lambda: self._closed, timeout=_SPACING_SECONDS)

    def _send(self, provider: str) -> None:
        try:
            _ring(self._celery, provider)
            self.last = Ring(now(), is_heard=True)
        except Exception:
            # Whatever the broker's client raises: the sweep finds what this ring would have told.
            self.failures += 1
            self.last = Ring(now(), is_heard=False)
            logger.warning("ring_failed", exc_info=True, extra={"provider": provider})


def _ring(celery: Celery, provider: str) -> None:
    celery.send_task(DRAIN, args=[provider], expires=60)
