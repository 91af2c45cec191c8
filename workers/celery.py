"""What `celery --app workers worker` finds: the Celery app of a worker process, with the services behind it."""

from app import config, logs, runtime
from app.errors import UnsafeConfiguration
from app.queue import Celery, CeleryDoorbell, make_celery
from workers.attaching import attach


def _make() -> Celery:
    settings = config.load()
    logs.configure(settings.log_level)
    celery = make_celery(settings)
    attach(celery, runtime.build(settings, CeleryDoorbell(celery)))
    return celery


try:
    app = _make()
except UnsafeConfiguration as error:
    # Celery would print the whole way to it; whoever set the environment needs the last line only.
    raise SystemExit(f"hivebatch: {error}") from error
