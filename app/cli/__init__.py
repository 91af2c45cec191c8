"""The command line: `hivebatch COMMAND`. Each command is thin, like every entry point."""

import sys
from collections.abc import Mapping
from importlib import import_module

import click

from app.errors import HivebatchError

COMMANDS: Mapping[str, str] = {
    "up": "app.cli.up:up",
    "demo": "app.cli.demo:demo",
    "submit": "app.cli.submit:submit",
    "watch": "app.cli.watch:watch",
    "results": "app.cli.results:results",
    "why": "app.cli.why:why",
    "pause": "app.cli.pause:pause",
    "resume": "app.cli.pause:resume",
    "budget": "app.cli.pause:budget",
    "verify": "app.cli.verify:verify",
    "archive": "app.cli.archive:archive",
    "doctor": "app.cli.doctor:doctor",
    "web": "app.cli.web:web",
    "worker": "app.cli.worker:worker",
    "sandbox": "app.cli.sandbox:sandbox",
    "keys": "app.cli.keys:keys",
    "password": "app.cli.password:password",
    "holds": "app.cli.holds:holds",
    "orphans": "app.cli.orphans:orphans",
    "reparse": "app.cli.reparse:reparse",
    "db": "app.cli.database:database",
}
"""Every command by its name, and where it lives."""


class _OnDemand(click.Group):
    """Loads a command when it is asked for: the processes that stay run one, and keep what they load in memory."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=_OnDemand, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hivebatch")
def hivebatch() -> None:
    """Dependable batches of prompts on APIs that answer by callback."""


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
