"""A step of every worker that runs the sweep, and drains what it finds due, whether or not the broker is there."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from celery import bootsteps
from celery.worker import WorkController

from app.clock import now
from app.runtime import Runtime
from app.services import clocks, deliveries, submission, sweeps

logger = logging.getLogger(__name__)

T = TypeVar("T")

_BREATHER_SECONDS = 0.02  # between two sweeps, however many alarms ring


class Sweeper(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Starts with the worker's pool and stops before it.

    Stopping sets the runtime's flag first: drain loops hand back what was not sent, and end. (Celery's own soft
    shutdown does not reach tasks in threads.)
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: WorkController, **_: object) -> None:
        self._runtime: Runtime = worker.app.hivebatch
        self._name: str = worker.hostname
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)
        self._drains = ThreadPoolExecutor(len(self._runtime.providers), thread_name_prefix="drain")
        self._draining: dict[str, Future[bool]] = {}
        most = self._runtime.settings.couriers
        self._couriers = ThreadPoolExecutor(most, thread_name_prefix="courier")
        self._delivering: set[Future[int]] = set()
        self.failures = 0

    def start(self, _worker: WorkController) -> None:
        # Before the worker takes its first task: what a wrong clock claims is paid for.
        self._guarded(clocks.check)
        self._guarded(sweeps.begin)
        self._thread.start()

    def stop(self, _worker: WorkController) -> None:
        self._runtime.stopping.set()
        self._runtime.sweeping_due.set()
        if self._thread.is_alive():
            self._thread.join()
        self._drains.shutdown(wait=True)
        self._couriers.shutdown(wait=True)
        self._guarded(lambda runtime: sweeps.end(runtime, self._name))

    def _run(self) -> None:
        while not self._runtime.stopping.is_set():
            self._runtime.sweeping_due.clear()
            self._runtime.sweeping_due.wait(self._sweep())

    def _sweep(self) -> float:
        """Sweep once; the seconds until the next."""
        swept = self._guarded(lambda runtime: sweeps.sweep(runtime, self._name, run=self._guarded))
        if swept is None:
            return self._runtime.settings.sweep_seconds
        for provider in swept.due_providers:
            self._drain(provider)
        self._deliver(swept.due_webhooks)
        return max(_BREATHER_SECONDS, (swept.next_at - now()).total_seconds())

    def _guarded(self, step: Callable[[Runtime], T]) -> T | None:
        """What a step returns; None if it failed."""
        try:
            return step(self._runtime)
        except Exception:
            # The sweeper has to outlive whatever goes wrong: it is what everything else relies on.
            self.failures += 1
            logger.exception("sweep_failed")
            return None

    def _drain(self, provider: str) -> None:
        """Have the queue looked at, unless a drain that this sweeper began is still at it."""
        running = self._draining.get(provider)
        if running is None or running.done():
            drained = self._drains.submit(submission.drain, self._runtime, provider)
            drained.add_done_callback(partial(_log_error, "drain_failed"))
            self._draining[provider] = drained

    def _deliver(self, due: int) -> None:
        """Send so many couriers out, as far as there are any; each takes what is due until nothing is."""
        self._delivering = {courier for courier in self._delivering if not courier.done()}
        for _ in range(min(due, self._runtime.settings.couriers - len(self._delivering))):
            courier = self._couriers.submit(deliveries.deliver, self._runtime)
            courier.add_done_callback(partial(_log_error, "courier_failed"))
            self._delivering.add(courier)


def _log_error(event: str, done: Future[Any]) -> None:
    error = done.exception()
    if error is not None:
        logger.error(event, exc_info=error)
