"""`hivebatch submit`: a file of prompts becomes a batch."""

import sys
from typing import IO

import click

from app.cli.client import client_options, connected
from app.cli.watch import follow, summary


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--name", help="What to call the batch.")
@click.option("--idempotency-key", help="Submitting the same file again with the same key gives the same batch.")
@click.option("--watch", is_flag=True, help="Show the progress until it is done; exit 1 unless all are completed.")
@client_options
def submit(
    file: IO[bytes], name: str | None, idempotency_key: str | None, watch: bool, url: str | None, key: str | None
) -> None:
    """Submit FILE, one JSON job a line ("-" is standard input), and print the id of its batch."""
    with connected(url, key) as client:
        batch = client.submit(file, name, idempotency_key)
        click.echo(batch.id)
        if watch:
            batch = follow(client, batch.id)
            click.echo(summary(batch))
            sys.exit(0 if batch.is_all_completed else 1)
