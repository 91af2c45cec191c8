"""A worker as a thread of this process: for `hivebatch up`, whose broker reaches no other process."""

import logging
import threading
from collections.abc import Callable

from celery import Celery
from celery.worker import WorkController

logger = logging.getLogger(__name__)


class EmbeddedWorker:
    """A Celery worker in a thread. `on_ready` is called once it takes tasks, `on_death` if it ends unasked."""

    def __init__(self, celery: Celery, name: str, on_ready: Callable[[], None], on_death: Callable[[], None]) -> None:
        # Pool threads run a task on the process's default app, which only the worker command sets by itself.
        celery.set_default()
        self._on_death = on_death
        self._is_stopping = False
        self._worker = _Worker(
            app=celery,
            hostname=name,
            pool_cls="threads",
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
        )
        self._worker.on_ready = on_ready
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """Hand back what was not sent, wait for what was, end the thread."""
        self._is_stopping = True
        self._worker.stop()
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        try:
            self._worker.start()
        finally:
            if not self._is_stopping:
                logger.error("worker_died")
                self._on_death()


class _Worker(WorkController):  # type: ignore[misc]  # Celery has no types
    on_ready: Callable[[], None]

    def on_consumer_ready(self, _consumer: object) -> None:
        self.on_ready()
