"""Moves: every change of the state of a job or of an attempt, as the database notes it together with the change.

What is looked at between two steps is where things stand; how they got there only these tell.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, Uuid, delete, select, text

from app.states import AttemptState, JobState
from tests.project import document
from tests.simulation.invariants import expect

_NEW = "new"
_BORN = {
    "jobs": {JobState.QUEUED, JobState.FAILED},  # a line that can't be answered is stored as failed
    "attempts": {AttemptState.SUBMITTING, AttemptState.COMPLETED},  # one that an operator knows of is over at once
}
_NOTES = MetaData()
_MOVES = Table(
    "moves",
    _NOTES,
    Column("number", Integer, primary_key=True),
    Column("thing", Text),
    Column("id", Uuid),
    Column("before", Text),
    Column("after", Text),
)
_TRIGGER = """
CREATE TRIGGER note_{what}_of_{thing} AFTER {what} ON {thing} {condition}
BEGIN INSERT INTO moves (thing, id, before, after) VALUES ('{thing}', new.id, {before}, new.state); END
"""


class Move(NamedTuple):
    """One row of `jobs` or `attempts` got another state, or its first (`before` is "new")."""

    number: int
    thing: str
    id: UUID
    before: str
    after: str


def watch(connection: Connection) -> None:
    """Have the database, SQLite, note every move from now on."""
    _NOTES.create_all(connection)
    for thing in _BORN:
        born = _TRIGGER.format(what="INSERT", thing=thing, condition="", before=f"'{_NEW}'")
        is_moved = "WHEN old.state <> new.state"
        connection.execute(text(born))
        connection.execute(text(_TRIGGER.format(what="UPDATE", thing=thing, condition=is_moved, before="old.state")))


def forget(connection: Connection) -> None:
    """Another history begins."""
    connection.execute(delete(_MOVES))


def since(connection: Connection, number: int) -> Sequence[Move]:
    """Those after the one of this number, in order."""
    rows = connection.execute(select(_MOVES).where(_MOVES.c.number > number).order_by(_MOVES.c.number))
    return [Move(*row) for row in rows]


def nothing_moves_but_as_the_tables_say(moves: Iterable[Move]) -> None:
    """The diagram of jobs and the table of attempts of docs/states.md have each move."""
    for move in moves:
        expect((move.before, move.after) in allowed(move.thing), "no such move", move)


@cache
def allowed(thing: str) -> frozenset[tuple[str, str]]:
    """The moves that there are: before and after."""
    written = drawn() if thing == "jobs" else listed()
    return written | {(_NEW, state.value) for state in _BORN[thing]}


def drawn() -> frozenset[tuple[str, str]]:
    """The moves of jobs, as they are drawn."""
    return frozenset(re.findall(r"^    (\w+) --> (\w+):", document("docs/states.md"), re.MULTILINE))


def listed() -> frozenset[tuple[str, str]]:
    """The moves of attempts, as the last column of their table lists them."""
    rows = re.findall(r"^\| `(\w+)` \| (?:yes)? ?\| .* \| (.*) \|$", document("docs/states.md"), re.MULTILINE)
    return frozenset((before, after) for before, after_all in rows for after in re.findall(r"`(\w+)`", after_all))
