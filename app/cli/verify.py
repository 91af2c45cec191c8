"""`hivebatch verify`: is a manifest whole and genuine, and are these the results that it speaks of."""

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import click

from app.cli import local
from app.services import manifests
from app.tokens import ManifestSigner

_SHOWN = 20
_SIGNATURES = {
    True: "the signature of its last line is good",
    False: "the signature of its last line is NOT good",
    None: "the signature can't be checked: its key is not here",
}

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("manifest", type=_file)
@click.option("--results", type=_file, help="Results of the same batch, as they were downloaded.")
def verify(manifest: Path, results: Path | None) -> None:
    """Check the digest of MANIFEST, its signature where this installation made it, and results against it.

    Exits 1 if anything is not as the manifest says.
    """
    read, faults = examined(manifest, results)
    for fault in faults[:_SHOWN]:
        click.echo(fault)
    if len(faults) > _SHOWN:
        click.echo(f"and {len(faults) - _SHOWN} more")
    is_signed = _is_signed(read.end)
    click.echo(f"{read.end['batch_id']}: {read.jobs} jobs, {read.end['open']} of them open; {_SIGNATURES[is_signed]}")
    sys.exit(1 if faults or is_signed is False else 0)


def examined(path: Path, results: Path | None) -> "tuple[Manifest, list[str]]":
    """A manifest that was read to its end, and what is wrong with it or with these results.

    Raises:
        click.ClickException: these are no such files.
    """
    with ExitStack() as stack:
        read = Manifest(stack.enter_context(path.open("rb")))
        told = stack.enter_context(results.open("rb")) if results else None
        try:
            return read, [*_compared(read.entries(), told), *read.faults()]
        except (ValueError, LookupError, TypeError) as error:
            raise click.ClickException(f"this is no manifest, or these are no results: {error!r}") from error


class Manifest:
    """A manifest that is read line by line, so that its size does not matter. `end` is its last line, once read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.jobs = 0
        self.end: Mapping[str, Any] = {}

    def entries(self) -> Iterator[Mapping[str, Any]]:
        """What it says of each job."""
        held = next(self._file, b"")
        for line in self._file:
            self._digest.update(held)
            self.jobs += 1
            yield json.loads(held)
            held = line
        self.end = json.loads(held)

    def faults(self) -> Iterator[str]:
        """What its last line says otherwise."""
        if self.end["format"] != manifests.FORMAT:
            yield f"its format is {self.end['format']}"
        if self.end["jobs"] != self.jobs:
            yield f"it has {self.jobs} jobs and should have {self.end['jobs']}"
        if self.end["sha256"] != self._digest.hexdigest():
            yield "it was changed: its lines do not have the digest that its last line names"


def _compared(entries: Iterable[Mapping[str, Any]], file: IO[bytes] | None) -> Iterator[str]:
    """What results, in the same order as the manifest, have otherwise. Reads the manifest to its end."""
    told = map(json.loads, file or ())
    result = next(told, None)
    for entry in entries:
        if result is not None and result["job_id"] == entry["job_id"]:
            if _sha256(result.get("text")) != entry["result_sha256"]:
                yield f"{entry['custom_id']}: this is not its result"
            result = next(told, None)
        elif file is not None and entry["result_sha256"] is not None:
            yield f"{entry['custom_id']}: its result is missing"
    if result is not None:
        yield f"{result['custom_id']}: the manifest does not have it, or the results are not in input order"


def _sha256(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


def _is_signed(end: Mapping[str, Any]) -> bool | None:
    keys = local.secret_keys()
    return manifests.is_signed(ManifestSigner(keys), end) if keys else None
