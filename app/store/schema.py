"""The schema's revision, and whether the database takes writes."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text, update

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
    """Write something that changes nothing; raises what a real write would."""
    connection.execute(update(limits).values(provider=limits.c.provider))
