"""The tasks: each is one call of a service."""

from celery import Task, shared_task

from app.queue import DRAIN
from app.services import submission


@shared_task(name=DRAIN, bind=True)  # type: ignore[untyped-decorator]  # Celery has no types
def drain(self: Task, provider: str) -> None:
    """Look now: submit what this provider's queue holds."""
    submission.drain(self.app.hivebatch, provider)
