"""`hivebatch why`: what a job or a batch waits for."""

from collections.abc import Mapping
from typing import Any

import click

from app.cli.client import client_options, connected


@click.command()
@click.argument("shown", metavar="ID")
@client_options
def why(shown: str, url: str | None, key: str | None) -> None:
    """Say why the job or the batch with this ID waits, and what ends that."""
    with connected(url, key) as client:
        reasons = client.why(shown)
    for reason in reasons:
        click.echo(line(reason))
    if not reasons:
        click.echo("It waits for nothing: it is over.")


def line(reason: Mapping[str, Any]) -> str:
    """A reason of the API in one line."""
    jobs = "1 job" if reason["jobs"] == 1 else f"{reason['jobs']:,} jobs"
    jobs = f"at least {jobs}" if reason["is_at_least"] else jobs
    since = f", since {reason['since']}" if reason["since"] else ""
    expected = f", expected by {reason['expected_by']}" if reason["expected_by"] else ""
    until = f" (until {reason['until']})" if reason["until"] else ""
    message = reason["message"].rstrip(".")
    return f"{reason['code']}  {jobs}{since}{expected}: {message}. Ends when {reason['ends']}{until}."
