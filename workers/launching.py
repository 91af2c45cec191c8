"""Makes and runs the Celery app of a worker process."""

import gc

from celery import Celery

from app import config, logs, runtime
from app.queue import CeleryDoorbell, make_celery
from workers.attaching import attach


def make() -> Celery:
    """A Celery app with the services behind it, as the environment says.

    Raises:
        UnsafeConfiguration: the environment's settings would lose money or data.
    """
    settings = config.load()
    logs.configure(settings.log_level)
    celery = make_celery(settings)
    attach(celery, runtime.build(settings, CeleryDoorbell(celery)))
    return celery


def run(name: str) -> int:
    """Work until the process is told to stop; the exit status.

    This is what `celery --app workers worker` does, without the rest of that command, which would stay in memory: its
    shell alone takes a tenth of a worker.
    """
    celery = make()
    celery.set_default()
    worker = celery.Worker(
        hostname=name,
        pool_cls="threads",
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    _leave_to_itself()
    worker.start()
    status: int = worker.exitcode or 0
    return status


def _leave_to_itself() -> None:
    """What is loaded by now stays as long as the process: to look through it for garbage takes a tenth of a submit."""
    gc.collect()
    gc.freeze()
