"""`hivebatch keys`: who may use the API."""

from uuid import UUID

import click

from app.cli import local
from app.services import keys as service
from app.states import Scope


@click.group()
def keys() -> None:
    """API keys. Several may belong to one owner; an owner sees only its own batches."""


@keys.command()
@click.argument("owner")
@click.option("--name", default="", help="What the key is for.")
@click.option("--read-only", is_flag=True, help="It shows what OWNER has, and changes nothing.")
def create(owner: str, name: str, read_only: bool) -> None:
    """Make a key for OWNER and print it, this once."""
    scopes = [Scope.READ] if read_only else list(Scope)
    with local.opened() as runtime:
        made = service.create(runtime, owner, name, scopes=scopes)
    click.echo(made.secret)
    click.echo(f"id {made.key.id}, owner {made.key.owner}; it can't be shown again.", err=True)


@keys.command("list")
def listing() -> None:
    """List all keys without their secrets."""
    with local.opened() as runtime:
        for key in service.listing(runtime):
            state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "active"
            scopes = "+".join(key.scopes)
            used = f"used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
            click.echo(f"{key.id}  {key.hint:8}  {key.owner:20}  {scopes:10}  {state}  {used}  {key.name}")


@keys.command()
@click.argument("key_id", type=click.UUID)
def revoke(key_id: UUID) -> None:
    """Make a key useless, for good."""
    with local.opened() as runtime:
        key = service.revoke(runtime, key_id)
    click.echo(f"{key.id} of {key.owner} is revoked.")
