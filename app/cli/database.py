"""`hivebatch db`: the schema, and the figures that are kept."""

import tempfile
from pathlib import Path

import click

from app import config
from app.cli import local
from app.db import Database
from app.services import recount
from migrations import runner


@click.group("db")
def database() -> None:
    """The schema of the database, and the figures kept in it."""


@database.command()
def upgrade() -> None:
    """Bring the database to this version's schema."""
    settings = config.load()
    runner.upgrade(Database(settings.resolved_database_url))
    click.echo("The schema is up to date.")


@database.command()
def check() -> None:
    """Tell whether models and migrations agree, on a throwaway database."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Database(f"sqlite:///{Path(folder) / 'check.db'}")
        runner.upgrade(fresh)
        runner.check(fresh)
        fresh.close()
    click.echo("Models and migrations agree.")


@database.command("recount")
def recount_all() -> None:
    """Hold the kept figures of every batch against a count, and correct those that differ."""
    with local.opened() as runtime:
        corrected = recount.recount(runtime)
    click.echo(f"{corrected} batches corrected." if corrected else "All figures are right.")
