"""`hivebatch archive`: a finished batch as files that prove themselves, and then no longer in the database."""

from pathlib import Path

import click

from app.cli.client import Client, client_options, connected
from app.cli.results import replacing
from app.cli.verify import examined

_folder = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("batch")
@click.argument("folder", type=_folder)
@click.option("--delete", is_flag=True, help="Remove the batch from the service once its files are checked.")
@client_options
def archive(batch: str, folder: Path, url: str | None, key: str | None, *, delete: bool) -> None:
    """Write the results and the signed manifest of BATCH to FOLDER/BATCH.results.jsonl and .manifest.jsonl.

    Each result is compared with its digest in the manifest before anything is removed.
    """
    with connected(url, key) as client:
        if not client.batch(batch).is_final:
            raise click.ClickException(f"{batch} has open jobs; nothing was written or removed")
        _save(client, batch, folder)
        if delete:
            client.delete(batch)
            click.echo(f"{batch} is removed from the service.")


def _save(client: Client, batch: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    results, manifest = (folder / f"{batch}.{name}.jsonl" for name in ("results", "manifest"))
    with replacing(results) as file:
        client.save_results(batch, file)
    with replacing(manifest) as file:
        client.save_manifest(batch, file)
    read, faults = examined(manifest, results)
    if faults or read.end["open"]:
        raise click.ClickException(f"{results} is not what {manifest} says; nothing was removed: {faults[:3]}")
    click.echo(f"{read.jobs} jobs in {results}, as {manifest} says.")
