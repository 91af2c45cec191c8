"""`hivebatch watch`: how far a batch is, until it is done."""

import sys
import time
from collections.abc import Callable
from datetime import datetime

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.cli.client import Batch, Client, client_options, connected

_OPEN_STATES = ("queued", "submitting", "waiting")
_FINAL_STATES = ("completed", "failed", "cancelled")


@click.command()
@click.argument("batch")
@client_options
def watch(batch: str, url: str | None, key: str | None) -> None:
    """Show the progress of BATCH until it is done; exit 1 unless every job is completed."""
    with connected(url, key) as client:
        done = follow(client, batch)
    click.echo(summary(done))
    sys.exit(0 if done.is_all_completed else 1)


def follow(
    client: Client, batch_id: str, poll_seconds: float = 0.5, wait: Callable[[float], object] = time.sleep
) -> Batch:
    """Show a bar on standard error until the batch is final; without a terminal, only its last state."""
    with Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[states]}"),
        console=Console(stderr=True),
    ) as progress:
        bar = progress.add_task("", total=None, states="")
        while True:
            batch = client.batch(batch_id)
            done = sum(batch.counts[state] for state in _FINAL_STATES)
            progress.update(bar, total=batch.total, completed=done, states=_states(batch))
            if batch.is_final:
                return batch
            wait(poll_seconds)


def summary(batch: Batch) -> str:
    """A batch in one line, as `200 completed, 0 failed, 7 retried, 3 late, 2 duplicates`."""
    ended = f"{batch.counts['completed']} completed, {batch.counts['failed']} failed"
    cancelled = f", {batch.counts['cancelled']} cancelled" if batch.counts["cancelled"] else ""
    return f"{ended}{cancelled}, {batch.retries} retried, {batch.late} late, {batch.duplicates} duplicates"


def _states(batch: Batch) -> str:
    states = ", ".join(f"{batch.counts[state]} {state}" for state in _OPEN_STATES if batch.counts[state])
    return f"{states or batch.status}{expected(batch)}"


def expected(batch: Batch) -> str:
    """When a batch will have ended, as `; done 12:01:10 to 12:03:25 UTC`; nothing if nobody can say."""
    if batch.expected_end is None:
        return ""
    first, last = (datetime.fromisoformat(batch.expected_end[name]) for name in ("from", "to"))
    day = f"{last:%Y-%m-%d} " if last.date() != first.date() else ""
    return f"; done {first:%H:%M:%S} to {day}{last:%H:%M:%S} UTC"
