"""Many rows at once, by the fastest way that each database has."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import JSON, Column, Connection, Table, bindparam, insert, update
from sqlalchemy.dialects import postgresql

Row = Mapping[str, Any]

_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]  # only to name its types


def add(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows that all name the same columns: COPY on PostgreSQL, one executemany on SQLite."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(insert(table), [dict(row) for row in rows])
    else:
        _copy(connection, table, rows)


def change(connection: Connection, table: Table, rows: Sequence[Row], guards: Sequence[str]) -> int:
    """Update rows by `id`; how many were. All name the same columns.

    Each is written only if its columns in `guards` are as `old_` and their names say: one UPDATE from arrays on
    PostgreSQL (twice as fast as an executemany there), one executemany on SQLite.
    """
    if not rows:
        return 0
    if connection.dialect.name == "sqlite":
        return _execute_many(connection, table, rows, guards)
    return _update_from_arrays(connection, table, rows, guards)


def _copy(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    names = list(rows[0])
    shapers = [_shaper(table.c[name]) for name in names]
    columns = ", ".join(f'"{table.c[name].name}"' for name in names)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(
                [shape(row[name]) if shape else row[name] for name, shape in zip(names, shapers, strict=True)]
            )


def _execute_many(connection: Connection, table: Table, rows: Sequence[Row], guards: Sequence[str]) -> int:
    written = [name for name in rows[0] if name in table.c and name != "id"]
    statement = update(table).where(table.c.id == bindparam("row_id"))
    for name in guards:
        statement = statement.where(table.c[name].is_not_distinct_from(bindparam(f"old_{name}")))
    values = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in written}
    parameters = [
        {"row_id": row["id"]}
        | {f"old_{name}": row[f"old_{name}"] for name in guards}
        | {f"new_{name}": row[name] for name in written}
        for row in rows
    ]
    return connection.execute(statement.values(values), parameters).rowcount


def _update_from_arrays(connection: Connection, table: Table, rows: Sequence[Row], guards: Sequence[str]) -> int:
    names = list(rows[0])
    written = [name for name in names if name in table.c and name != "id"]
    columns = [table.c[name.removeprefix("old_") if name not in table.c else name] for name in names]
    arrays = ", ".join(f"%s::{column.type.compile(_POSTGRESQL)}[]" for column in columns)
    conditions = [f"t.{name} IS NOT DISTINCT FROM v.old_{name}" for name in guards]
    statement = (
        f"UPDATE {table.name} AS t SET {', '.join(f'{name} = v.{name}' for name in written)} "  # noqa: S608 - our names
        f"FROM unnest({arrays}) AS v({', '.join(names)}) WHERE {' AND '.join(['t.id = v.id', *conditions])}"
    )
    shapers = [_shaper(column) for column in columns]
    values = [[shape(row[n]) if shape else row[n] for row in rows] for n, shape in zip(names, shapers, strict=True)]
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        cursor.execute(statement, values)
        written_rows: int = cursor.rowcount
    return written_rows


def _shaper(column: Column[Any]) -> Callable[[Any], str] | None:
    """What the driver can't write by itself: JSON, and our states, which are strings with a class."""
    if isinstance(column.type, JSON):
        return json.dumps
    return str if column.name in {"state", "outcome"} else None
