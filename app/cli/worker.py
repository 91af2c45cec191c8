"""`hivebatch worker`: a worker process of a production installation."""

import os
import socket
import sys

import click

from workers import launching


@click.command()
def worker() -> None:
    """Submit jobs and sweep, told by the broker when (PostgreSQL and a broker from the environment)."""
    sys.exit(launching.run(f"worker-{os.getpid()}@{socket.gethostname()}"))
