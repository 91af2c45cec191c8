"""`hivebatch pause`, `resume` and `budget`: hold one batch, and let it go."""

import click

from app.cli.client import client_options, connected


@click.command()
@click.argument("batch")
@click.argument("reason")
@client_options
def pause(batch: str, reason: str, url: str | None, key: str | None) -> None:
    """Submit nothing more from BATCH, for a REASON that others will read; what the provider has goes on."""
    with connected(url, key) as client:
        paused = client.pause(batch, reason)
    click.echo(f"{paused.id} is {paused.status}.")


@click.command()
@click.argument("batch")
@client_options
def resume(batch: str, url: str | None, key: str | None) -> None:
    """Go on with BATCH."""
    with connected(url, key) as client:
        resumed = client.resume(batch)
    click.echo(f"{resumed.id} is {resumed.status}.")


@click.command()
@click.argument("batch")
@click.argument("amount")
@client_options
def budget(batch: str, amount: str, url: str | None, key: str | None) -> None:
    """Let BATCH cost AMOUNT in all, in the provider's currency; then it is paused."""
    with connected(url, key) as client:
        changed = client.change_budget(batch, amount)
    click.echo(f"{changed.id} is {changed.status}.")
