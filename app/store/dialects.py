"""Where SQLite and PostgreSQL differ in syntax."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Float, Table, literal
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


def insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def seconds_between(earlier: ColumnElement[Any], later: ColumnElement[Any]) -> ColumnElement[float]:
    """How long it is from one instant to another, to the millisecond; NULL if either is."""
    return _SecondsBetween(earlier, later)


class _SecondsBetween(GenericFunction[float]):
    type = Float()
    inherit_cache = True


@compiles(_SecondsBetween, "postgresql")
def _on_postgresql(element: _SecondsBetween, compiler: Any, **options: Any) -> str:
    earlier, later = (compiler.process(clause, **options) for clause in element.clauses)
    return f"extract(epoch from ({later}) - ({earlier}))"


@compiles(_SecondsBetween, "sqlite")
def _on_sqlite(element: _SecondsBetween, compiler: Any, **options: Any) -> str:
    earlier, later = (compiler.process(clause, **options) for clause in element.clauses)
    return f"(julianday({later}) - julianday({earlier})) * 86400"


def json_integer(document: ColumnElement[Any], *path: str) -> ColumnElement[int]:
    """The integer at this place of a JSON document; NULL where there is none, or something else."""
    return _JsonInteger(document, *(literal(name) for name in path))


class _JsonInteger(GenericFunction[int]):
    type = BigInteger()
    inherit_cache = True


@compiles(_JsonInteger, "postgresql")
def _integer_on_postgresql(element: _JsonInteger, compiler: Any, **options: Any) -> str:
    document, *path = (compiler.process(clause, **options) for clause in element.clauses)
    found = f"({document} #> ARRAY[{', '.join(path)}]::text[])::text"  # of a string with its quotes
    return f"CASE WHEN {found} ~ '^[0-9]{{1,15}}$' THEN {found}::bigint END"


@compiles(_JsonInteger, "sqlite")
def _integer_on_sqlite(element: _JsonInteger, compiler: Any, **options: Any) -> str:
    document, *path = (compiler.process(clause, **options) for clause in element.clauses)
    place = " || '.' || ".join(["'$'", *path])
    found = f"{document}, {place}"
    return f"CASE WHEN json_type({found}) = 'integer' THEN json_extract({found}) END"
