"""`python -m workers.alive`: succeeds if a worker of this machine has swept lately. A container's health check."""

import socket
import sys
from datetime import timedelta

from app import clock, config, runtime
from app.queue import SilentDoorbell
from app.runtime import Runtime
from app.services import health

MISSED_SWEEPS = 3
MARGIN_SECONDS = 15.0


def has_swept(built: Runtime, machine: str) -> bool:
    """Whether a worker whose name ends in `@machine` has missed no more than a few sweeps, as the database says."""
    allowed = timedelta(
        seconds=MISSED_SWEEPS * built.settings.sweep_seconds + built.settings.submit_timeout_seconds + MARGIN_SECONDS
    )
    seen = health.readiness(built).workers
    return any(each.worker.endswith(f"@{machine}") and clock.now() - each.swept_at < allowed for each in seen)


def main() -> int:
    """The exit status: 1 if no worker of this machine is alive, or the database can't be asked."""
    built = runtime.build(config.load(), SilentDoorbell())
    try:
        return 0 if has_swept(built, socket.gethostname()) else 1
    finally:
        built.close()


if __name__ == "__main__":
    sys.exit(main())
