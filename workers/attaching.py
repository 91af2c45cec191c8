"""Joins a Celery app to the runtime that its tasks and its sweeper work on."""

from celery import Celery

from app.runtime import Runtime
from workers import tasks
from workers.sweeper import Sweeper


def attach(celery: Celery, runtime: Runtime) -> None:
    """From now on a worker of this app drains and sweeps for `runtime`."""
    celery.hivebatch = runtime
    tasks.register(celery)
    celery.steps["worker"].add(Sweeper)
