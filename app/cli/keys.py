"""`hivebatch keys`: who may use the API."""

from uuid import UUID

import click

from app.cli import local
from app.services import keys as service


@click.group()
def keys() -> None:
    """API keys. Several may belong to one owner; an owner sees only its own batches."""


@keys.command()
@click.argument("owner")
@click.option("--name", default="", help="What the key is for.")
def create(owner: str, name: str) -> None:
    """Make a key for OWNER and print it, this once."""
    with local.opened() as runtime:
        made = service.create(runtime, owner, name)
    click.echo(made.secret)
    click.echo(f"id {made.key.id}, owner {made.key.owner}; it can't be shown again.", err=True)


@keys.command("list")
def listing() -> None:
    """List all keys without their secrets."""
    with local.opened() as runtime:
        for key in service.listing(runtime):
            state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "active"
            click.echo(f"{key.id}  {key.hint:8}  {key.owner:20}  {state}  {key.name}")


@keys.command()
@click.argument("key_id", type=click.UUID)
def revoke(key_id: UUID) -> None:
    """Make a key useless, for good."""
    with local.opened() as runtime:
        key = service.revoke(runtime, key_id)
    click.echo(f"{key.id} of {key.owner} is revoked.")
