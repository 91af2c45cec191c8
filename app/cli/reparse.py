"""`hivebatch reparse`: read stored answers again that could not be read."""

import click

from app import ids
from app.cli import local
from app.services import reparse as service
from app.services.audit import By


@click.command()
@click.option("--batch", help="Only this batch; all by default.")
@click.option("--dry-run", is_flag=True, help="Only count what would be completed.")
def reparse(batch: str | None, dry_run: bool) -> None:
    """Complete jobs that failed with text_not_recognised and whose stored callbacks this version can read.

    Nothing is submitted, so nothing is paid.
    """
    batch_id = ids.read("batch", batch) if batch else None
    with local.opened() as runtime:
        report = service.reparse(runtime, batch_id, by=By("cli"), is_dry_run=dry_run)
    what = "could be completed" if dry_run else "completed"
    click.echo(f"Jobs without a recognised text: {report.read}; {what}: {report.completed}.")
