"""`hivebatch holds`: what is not submitted now, and why."""

import click

from app.cli import local
from app.services import holds as service
from app.services.audit import By


@click.group()
def holds() -> None:
    """What must not be submitted now, and why."""


@holds.command("list")
def listing() -> None:
    """List what is held."""
    with local.opened() as runtime:
        found = service.listing(runtime)
    for hold in found:
        until = f"until {hold.until:%Y-%m-%d %H:%M:%S} UTC" if hold.until else f"until {hold.ends}"
        click.echo(f"{hold.scope} {hold.scope_id} {hold.reason}  {until}  {hold.message}")
    if not found:
        click.echo("Nothing is held.")


@holds.command()
@click.argument("scope", type=click.Choice(["provider", "batch"]))
@click.argument("scope_id")
@click.argument("reason")
def lift(scope: str, scope_id: str, reason: str) -> None:
    """Go on submitting, as after a key was replaced: `hivebatch holds lift provider hive_v2 key_refused`."""
    with local.opened() as runtime:
        service.lift(runtime, scope, scope_id, reason, By("cli"))
    click.echo(f"{scope} {scope_id} is no longer held for {reason}.")
