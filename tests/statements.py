"""The statements that go to a database, as a test sees them pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from app.db import Database


@contextmanager
def emitting(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """The statements that go to the database meanwhile, each with its parameters."""
    emitted: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        emitted.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", keep)
    try:
        yield emitted
    finally:
        event.remove(database.engine, "before_cursor_execute", keep)
