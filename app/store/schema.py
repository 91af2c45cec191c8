"""The schema's revision, and whether the database takes writes."""

from pathlib import Path

from sqlalchemy import Connection, false, inspect, text, update

import migrations
from app.models import limits

HEAD = max(path.stem for path in (Path(migrations.__file__).parent / "versions").glob("[0-9]*.py"))


def revision(connection: Connection) -> str | None:
    """The migration that the database is at; None: never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def write_probe(connection: Connection) -> None:
    """Write nothing; raises what a real write would. No row is touched, so it waits for nobody."""
    connection.execute(update(limits).where(false()).values(provider=limits.c.provider))
