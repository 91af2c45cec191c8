"""The command line: `hivebatch COMMAND`. Each command is thin, like every entry point."""

import sys

import click

from app.cli.database import database
from app.cli.demo import demo
from app.cli.holds import holds
from app.cli.keys import keys
from app.cli.results import results
from app.cli.sandbox import sandbox
from app.cli.submit import submit
from app.cli.up import up
from app.cli.watch import watch
from app.cli.web import web
from app.errors import HivebatchError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hivebatch")
def hivebatch() -> None:
    """Dependable batches of prompts on APIs that answer by callback."""


for command in (up, demo, submit, watch, results, web, sandbox, keys, holds, database):
    hivebatch.add_command(command)


def main() -> None:
    """Run the command line; our own errors become one line and exit status 2."""
    try:
        hivebatch(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except HivebatchError as error:
        click.echo(f"hivebatch: {error}", err=True)
        sys.exit(2)
