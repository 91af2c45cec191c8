"""Many new rows at once, by the fastest way that each database has."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import JSON, Connection, Table, insert

Row = Mapping[str, Any]


def add(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows that all name the same columns: COPY on PostgreSQL, one executemany on SQLite."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(insert(table), [dict(row) for row in rows])
    else:
        _copy(connection, table, rows)


def _copy(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    names = list(rows[0])
    shapers = [_shaper(table, name) for name in names]
    columns = ", ".join(f'"{table.c[name].name}"' for name in names)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(
                [shape(row[name]) if shape else row[name] for name, shape in zip(names, shapers, strict=True)]
            )


def _shaper(table: Table, name: str) -> Callable[[Any], str] | None:
    """What the driver can't write by itself: JSON, and our states, which are strings with a class."""
    if isinstance(table.c[name].type, JSON):
        return json.dumps
    return str if name == "state" else None
