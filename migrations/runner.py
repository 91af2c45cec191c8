"""Bring a database to this code's schema, and tell whether models and migrations agree."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from app.db import Database


def upgrade(database: Database, revision: str = "head") -> None:
    """Run the migrations that are missing, up to this one."""
    with database.transaction() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def check(database: Database) -> None:
    """Raise `alembic.util.CommandError` unless a migrated database is what the models say."""
    with database.transaction() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.check(config)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config
