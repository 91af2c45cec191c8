"""What `celery --app workers` finds: the Celery app of a worker process, for those who run or look at it that way."""

from app.errors import UnsafeConfiguration
from workers import launching

try:
    app = launching.make()
except UnsafeConfiguration as error:
    # Celery would print the whole way to it; whoever set the environment needs the last line only.
    raise SystemExit(f"hivebatch: {error}") from error
