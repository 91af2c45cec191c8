"""What `celery -A workers worker` finds: the Celery app of a worker process, with the services behind it."""

from app import config, logs, runtime
from app.queue import CeleryDoorbell, make_celery
from workers.attaching import attach

settings = config.load()
logs.configure(settings.log_level)
app = make_celery(settings)
attach(app, runtime.build(settings, CeleryDoorbell(app)))
