"""`hivebatch demo`: real prompts, a provider that misbehaves, and what came of it, in one process."""

import json
import logging
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from app import logs
from app.cli.client import Batch, Client, Unreachable
from app.cli.report import report
from app.cli.results import output_type, replacing
from app.cli.service import Service, prepared, stop
from app.cli.watch import follow
from app.config import Settings
from app.sandbox.config import SandboxConfig

_TIMES: Mapping[str, object] = {
    "callback_timeout_seconds": 2.0,
    "unknown_grace_seconds": 3.0,
    "submit_timeout_seconds": 5.0,
    "lease_seconds": 8.0,
    "backoff_base_seconds": 0.3,
    "backoff_max_seconds": 2.0,
    "sweep_seconds": 0.5,
    "batch_expires_seconds": 180.0,
}
_LATE_SECONDS = 8.0  # well past two callback time-outs: a task that is asked for while it runs gets a second one
_FOUND_OUT = {"secret_key", "admin_password", "dev_key", "public_url", "hive_url", "hive_key", "hive_task_path"}
_SETTLE_SECONDS = 30
_POLL_SECONDS = 0.2
_WHOLE_LEDGER = 1_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """What a run came to: the batch and its results (NDJSON) as the API tells them, the ledger as the sandbox does."""

    batch: Batch
    results: bytes
    ledger: Mapping[str, Any]


@click.command()
@click.argument("prompts", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", "-o", type=output_type, default="results.jsonl", show_default=True)
@click.option("--ledger", type=output_type, help="Write the sandbox's ledger here, to check the numbers against.")
@click.option("--profile", type=click.Choice(["calm", "default", "hostile"]), default="default", show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Makes the sandbox's faults repeatable.")
def demo(prompts: Path, output: Path, ledger: Path | None, profile: str, seed: int) -> None:
    """Submit PROMPTS to a service of its own, whose provider is the sandbox, and fetch the results.

    Exits 0 if every job is completed. It leaves nothing behind but the results.
    """
    logs.configure("ERROR")
    logging.disable(logging.WARNING)  # warnings tell of the sandbox's faults, which are the point here
    sandbox = SandboxConfig(profile=profile, seed=seed, late_seconds=_LATE_SECONDS)
    with ExitStack() as stack:
        files = [stack.enter_context(replacing(path)) for path in (output, ledger) if path is not None]
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="hivebatch-demo-"))
        service = stack.enter_context(prepared(_settings(Path(folder)), sandbox))
        run = _serve(service, prompts)
        for file, content in zip(files, (run.results, json.dumps(run.ledger, indent=1).encode()), strict=False):
            file.write(content)
    report(run.batch, run.results, run.ledger["totals"], prompts, output)
    sys.exit(0 if run.batch.is_all_completed else 1)


def _settings(folder: Path) -> dict[str, object]:
    """Every setting at its default but for the times, so that the user's own don't reach a run in a folder of its own.

    What `up` fills in is left to it.
    """
    defaults = {name: field.default for name, field in Settings.model_fields.items() if name not in _FOUND_OUT}
    return {**defaults, **_TIMES, "port": 0, "data_dir": folder}


def _serve(service: Service, prompts: Path) -> Run:
    user = _User(service, prompts)
    status = service.serve(on_ready=user.start)
    if user.run_ is not None:
        return user.run_
    if status:
        raise click.ClickException("the worker died; its error is above")
    if user.error is not None and not isinstance(user.error, Unreachable):
        raise user.error
    Console(stderr=True).show_cursor()  # the bar hid it, and its thread won't bring it back
    click.echo("\nThe demo was ended before it was done.", err=True)
    raise click.Abort


class _User(threading.Thread):
    """Uses the service over HTTP, as anybody would, while the main thread serves; then ends it."""

    def __init__(self, service: Service, prompts: Path) -> None:
        super().__init__(name="demo", daemon=True)
        self._service = service
        self._prompts = prompts
        self.run_: Run | None = None
        self.error: click.ClickException | None = None

    def run(self) -> None:
        try:
            self.run_ = self._use()
        except click.ClickException as error:
            self.error = error
        finally:
            if not isinstance(self.error, Unreachable):  # else it is ending already, and a second signal hurries it
                stop()

    def _use(self) -> Run:
        with Client(self._service.url, self._service.api_key) as client, self._prompts.open("rb") as file:
            submitted = client.submit(file, name="demo")
            click.echo(f"Submitted {submitted.total} prompts as {submitted.id}; waiting for the provider to call back.")
            follow(client, submitted.id, _POLL_SECONDS)
            ledger = self._settled_ledger()
            results = BytesIO()
            client.save_results(submitted.id, results)
            return Run(client.batch(submitted.id), results.getvalue(), ledger)

    def _settled_ledger(self) -> Mapping[str, Any]:
        """The sandbox's ledger, once all that it still had to send was sent."""
        provider = self._service.sandbox
        if provider is None or not provider.sandbox.settle(_SETTLE_SECONDS):
            raise click.ClickException(f"the sandbox still had callbacks to send after {_SETTLE_SECONDS} s")
        return provider.sandbox.ledger.page(0, 0, _WHOLE_LEDGER)
