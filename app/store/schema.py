"""The schema's revision, whether the database takes writes, and its clock."""

from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, DateTime, false, func, inspect, select, text, update

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
    """Write nothing that matters; raises what a real write would. No row is touched, so it waits for nobody.

    A full disk has to show: a file gets a page of its header again at the commit; a server, whose small writes find
    room in the pages that it has, puts rows that it may not hold in memory into a file of its own for a moment.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA user_version = 0")
    else:
        connection.execute(text("SET LOCAL work_mem = '64kB'"))
        connection.execute(text("SELECT count(*) FROM generate_series(1, 5000)"))
    connection.execute(update(limits).where(false()).values(provider=limits.c.provider))


def clock(connection: Connection) -> datetime | None:
    """What time the database has; None: that of the process which asks."""
    if connection.dialect.name == "sqlite":
        return None
    found: datetime = connection.execute(select(func.clock_timestamp(type_=DateTime(timezone=True)))).scalar_one()
    return found


def version(connection: Connection) -> str:
    """The version of the database's own software."""
    asked = "SELECT sqlite_version()" if connection.dialect.name == "sqlite" else "SHOW server_version"
    found: str = connection.execute(text(asked)).scalar_one()
    return found
