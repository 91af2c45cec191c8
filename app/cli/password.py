"""`hivebatch password`: what to configure instead of a password."""

import sys

import click

from app.admin.passwords import hashed


@click.command()
def password() -> None:
    """Print the hash of a password, to be HIVEBATCH_ADMIN_PASSWORD or HIVEBATCH_VIEWER_PASSWORD.

    It is asked for twice, or read from a pipe. The hash has several $: put it in single quotes.
    """
    if sys.stdin.isatty():
        given = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        given = sys.stdin.readline().removesuffix("\n")
    if not given:
        raise click.UsageError("The password is empty.")
    click.echo(hashed(given))
