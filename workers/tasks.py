"""The tasks: each is one call of a service."""

from celery import Celery, Task

from app.queue import DRAIN
from app.services import submission


def register(celery: Celery) -> None:
    """Give this app its tasks. They work on the app's own runtime, so that two apps in a process keep apart."""

    @celery.task(name=DRAIN, bind=True)  # type: ignore[untyped-decorator]  # Celery has no types
    def drain(self: Task, provider: str) -> None:
        """Look now: submit what this provider's queue holds."""
        submission.drain(self.app.hivebatch, provider)
