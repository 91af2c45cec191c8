"""What `hivebatch demo` says at the end."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli.client import Batch
from app.cli.watch import summary
from app.sandbox import answer_for

_ROWS = 8
_FAULTS: Mapping[str, str] = {
    "lost": "callbacks lost",
    "late": "callbacks far too late",
    "duplicate": "callbacks sent twice",
    "before_ack": "callbacks before their ack",
    "status=429 retry_after=1": "submits refused with 429",
    "status=503": "submits failed with 503",
}


def report(batch: Batch, results: bytes, totals: Mapping[str, Any], prompts: Path, output: Path) -> None:
    """Print the first results, the numbers of the API and what the sandbox, by its ledger's `totals`, had done."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # prompts know no encoding, terminals do
    lines = [json.loads(line) for line in results.splitlines()]
    jobs = list(_jobs(prompts))
    click.echo()
    _print_first(lines, jobs)
    click.echo(f"\n{summary(batch)}")
    read_back = sum(line.get("source") == "read_back" for line in lines)
    asked = f"; {read_back} answers were asked for, as no callback came" if read_back else ""
    click.echo(f"cost ${batch.cost:f}{asked}\n")
    click.echo(f"The sandbox's ledger: {_deeds(totals)}.")
    right = sum(line.get("text") == _expected(job) for line, job in zip(lines, jobs, strict=True))
    click.echo(f"{right} of {len(jobs)} answers are those to their own prompts: see {output}.")
    click.echo("Next: `make up` starts a service that stays.")


def _deeds(totals: Mapping[str, Any]) -> str:
    faults: Mapping[str, int] = totals["faults"]
    told = [f"{_FAULTS[words]}: {faults[words]}" for words in _FAULTS if words in faults]
    others = sum(number for words, number in faults.items() if words not in _FAULTS)
    told += [f"other faults: {others}"] if others else []
    return f"{totals['requests']} submits, {totals['accepted']} of them accepted; {', '.join(told) or 'no faults'}"


def _expected(job: Mapping[str, Any]) -> str:
    return answer_for(job["text_data"], job.get("options", {}).get("system_prompt"))


def _jobs(prompts: Path) -> Iterator[Mapping[str, Any]]:
    """The jobs of a file that the service took, in the order of its results."""
    with prompts.open("rb") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def _print_first(lines: Sequence[Mapping[str, Any]], jobs: Sequence[Mapping[str, Any]]) -> None:
    table = Table(expand=True)
    table.add_column("custom_id", no_wrap=True, ratio=3)
    table.add_column("prompt", no_wrap=True, ratio=5)
    table.add_column("answer", no_wrap=True, ratio=5)
    table.add_column("attempts", justify="right")
    for line, job in zip(lines[:_ROWS], jobs[:_ROWS], strict=True):
        answer = line.get("text") or line["state"]
        table.add_row(*map(_excerpt, (line["custom_id"], job["text_data"], answer)), str(line["attempts"]))
    Console().print(table)


def _excerpt(text: str) -> Text:
    return Text(" ".join(text[:200].split()), overflow="ellipsis")
