"""`hivebatch orphans`: callbacks that belong to no job here."""

import click

from app import ids
from app.cli import local
from app.services import matching
from app.services import orphans as service
from app.services.audit import By

because = click.option("--reason", prompt="Why", help="Why; it is kept in the audit log.")


@click.group()
def orphans() -> None:
    """Callbacks that belong to no job here, as after a backup was restored."""


@orphans.command("list")
def listing() -> None:
    """List those that wait to be matched or discarded, newest first."""
    with local.opened() as runtime:
        page = service.listing(runtime, limit=1000)
    for orphan in page.items:
        proof = "token" if orphan.has_token else "NO TOKEN"
        click.echo(
            f"{ids.show('callback', orphan.id)}  {orphan.received_at:%Y-%m-%d %H:%M:%S} UTC  {orphan.bytes} bytes  "
            f"{proof}  {ids.show('batch', orphan.batch_id)}  {orphan.detail or ''}"
        )
    if not page.items:
        click.echo("There is none.")
    if page.next_cursor:
        click.echo("There are more.", err=True)


@orphans.command()
@click.argument("callback_id")
@click.argument("job_id")
@because
@click.option("--anyway", is_flag=True, help="Also if the body says that it is for another job.")
def match(callback_id: str, job_id: str, reason: str, anyway: bool) -> None:
    """Complete the job JOB_ID with the answer in CALLBACK_ID."""
    with local.opened() as runtime:
        matching.match(
            runtime,
            ids.read("callback", callback_id),
            ids.read("job", job_id),
            by=By("cli", reason),
            despite_metadata=anyway,
        )
    click.echo(f"{job_id} is completed with {callback_id}.")


@orphans.command()
@click.argument("callback_id")
@because
def discard(callback_id: str, reason: str) -> None:
    """Say that CALLBACK_ID is nobody's; it is kept, marked."""
    with local.opened() as runtime:
        service.discard(runtime, ids.read("callback", callback_id), By("cli", reason))
    click.echo(f"{callback_id} is discarded.")
