"""`hivebatch results`: the answers of a batch, to a file or to standard output."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from app.cli.client import client_options, connected

output_type = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command()
@click.argument("batch")
@click.option("--output", "-o", type=output_type, help="Where to write; standard output by default.")
@client_options
def results(batch: str, output: Path | None, url: str | None, key: str | None) -> None:
    """Fetch the results of BATCH, one JSON object a line in input order, at any moment."""
    with connected(url, key) as client, _target(output) as file:
        is_complete = client.save_results(batch, file)
    if not is_complete:
        click.echo("Not all jobs are done; these are the results so far.", err=True)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when all of it is written; until then, and on an error, `path` stays.

    A pipe or a device can't be replaced; it is written to as it is.
    """
    is_special = path.exists() and not path.is_file()
    unfinished = path if is_special else path.with_name(f".{path.name}.unfinished")
    try:
        file = unfinished.open("wb")
    except OSError as error:
        raise click.FileError(str(path), error.strerror) from error
    try:
        with file:
            yield file
        unfinished.replace(path)
    finally:
        if not is_special:
            unfinished.unlink(missing_ok=True)


@contextmanager
def _target(output: Path | None) -> Iterator[IO[bytes]]:
    if output is None:
        yield sys.stdout.buffer
    else:
        with replacing(output) as file:
            yield file
