"""Many rows at once, by the fastest way that each database has."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, Column, Connection, Table, TextClause, bindparam, text, update
from sqlalchemy.dialects import postgresql

Row = Mapping[str, Any]

COPY_FROM = 500
"""As many rows are worth the round trips of a COPY."""

_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]  # only to name its types
_EXPECTED = "hivebatch_expected"


@contextmanager
def together(connection: Connection) -> Iterator[None]:
    """Send what is added and changed inside in one round trip, where the database can (psycopg's pipeline mode).

    Nothing else may run inside but the same again; how many rows were changed is checked at the end of the outermost.
    """
    if connection.dialect.name == "sqlite" or _EXPECTED in connection.info:
        yield
        return
    expected = connection.info[_EXPECTED] = []
    try:
        with _driver(connection).pipeline():
            yield
        for cursor, number in expected:
            _check(cursor, number)
    finally:
        del connection.info[_EXPECTED]


def add(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows that all name the same columns."""
    if not rows:
        return
    is_together = _EXPECTED in connection.info  # where a COPY can't be
    if len(rows) < COPY_FROM or is_together or connection.dialect.name == "sqlite":
        add_new(connection, table, rows, on_conflict="")
    else:
        _copy(connection, table, rows)


def add_new(connection: Connection, table: Table, rows: Sequence[Row], on_conflict: str) -> Any:
    """As `add`, of at least one row, with a clause that both databases spell alike.

    The result's `rowcount` is how many were written; inside `together` it is known at the end.
    """
    if connection.dialect.name == "sqlite":
        statement = _insertion(table, tuple(rows[0]), on_conflict).execution_options(preserve_rowcount=True)
        return connection.execute(statement, [dict(row) for row in rows])
    return _insert_arrays(connection, table, rows, on_conflict)


def change(connection: Connection, table: Table, rows: Sequence[Row], guards: Sequence[str]) -> None:
    """Update rows by `id`. All name the same columns, and none may have changed since it was read.

    The columns in `guards` have to be as `old_` and their names say: the caller's lock makes that so, and this makes
    sure. One UPDATE from arrays on PostgreSQL (twice as fast as an executemany there), one executemany on SQLite.

    Raises:
        AssertionError: a row was changed under its lock.
    """
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        _check(_execute_many(connection, table, rows, guards), len(rows))
    else:
        _update_from_arrays(connection, table, rows, guards)


@lru_cache
def _insertion(table: Table, names: tuple[str, ...], on_conflict: str) -> TextClause:
    columns = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(f":{name}" for name in names)
    typed = [bindparam(name, type_=table.c[name].type) for name in names]
    return text(f"INSERT INTO {table.name} ({columns}) VALUES ({values}) {on_conflict}").bindparams(*typed)  # noqa: S608 - our names


def _copy(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    names = list(rows[0])
    shapers = [_shaper(table.c[name]) for name in names]
    columns = ", ".join(f'"{table.c[name].name}"' for name in names)
    with _driver(connection).cursor() as cursor, cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(
                [shape(row[name]) if shape else row[name] for name, shape in zip(names, shapers, strict=True)]
            )


def _insert_arrays(connection: Connection, table: Table, rows: Sequence[Row], on_conflict: str) -> Any:
    names = tuple(rows[0])
    quoted = ", ".join(f'"{name}"' for name in names)
    statement = f"INSERT INTO {table.name} ({quoted}) SELECT * FROM unnest({_placeholders(table, names)}) {on_conflict}"  # noqa: S608 - our names
    return _driver(connection).execute(statement, _arrays(table, rows, names))


def _update_from_arrays(connection: Connection, table: Table, rows: Sequence[Row], guards: Sequence[str]) -> None:
    names = tuple(rows[0])
    written = [name for name in names if name in table.c and name != "id"]
    conditions = [f"t.{name} IS NOT DISTINCT FROM v.old_{name}" for name in guards]
    statement = (
        f"UPDATE {table.name} AS t SET {', '.join(f'{name} = v.{name}' for name in written)} "  # noqa: S608 - our names
        f"FROM unnest({_placeholders(table, names)}) AS v({', '.join(names)}) "
        f"WHERE {' AND '.join(['t.id = v.id', *conditions])}"
    )
    cursor = _driver(connection).execute(statement, _arrays(table, rows, names))
    if _EXPECTED in connection.info:
        connection.info[_EXPECTED].append((cursor, len(rows)))
    else:
        _check(cursor, len(rows))


def _execute_many(connection: Connection, table: Table, rows: Sequence[Row], guards: Sequence[str]) -> Any:
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
    return connection.execute(statement.values(values), parameters)


def _check(executed: Any, number: int) -> None:
    if executed.rowcount != number:
        raise AssertionError(f"{number - executed.rowcount} of {number} rows changed under their lock")


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


@lru_cache
def _placeholders(table: Table, names: tuple[str, ...]) -> str:
    """One binary array a column; `old_` names are those of the columns that they guard."""
    return ", ".join(f"%b::{_column(table, name).type.compile(_POSTGRESQL)}[]" for name in names)


def _arrays(table: Table, rows: Sequence[Row], names: Sequence[str]) -> list[list[Any]]:
    shapers = [(name, _shaper(_column(table, name))) for name in names]
    return [[shape(row[name]) for row in rows] if shape else [row[name] for row in rows] for name, shape in shapers]


def _column(table: Table, name: str) -> Column[Any]:
    return table.c[name] if name in table.c else table.c[name.removeprefix("old_")]


def _shaper(column: Column[Any]) -> Callable[[Any], str] | None:
    """What the driver can't write by itself: JSON, and our states, which are strings with a class."""
    if isinstance(column.type, JSON):
        return json.dumps
    return str if column.name in {"state", "outcome"} else None
