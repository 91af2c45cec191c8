"""The world: the real services over one database in memory, with the provider and the clock in our hands."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from random import Random
from typing import Any, cast

import sqlalchemy

from app.commits import _Entry, _write_group
from app.db import Database
from app.models import metadata
from app.providers.dialogues import Dialogue, Talk
from app.runtime import Runtime
from app.store import holds
from app.tokens import EchoSigner, TokenSigner
from tests.conftest import make_settings
from tests.factories import PROVIDER, held
from tests.fakes import RecordingDoorbell
from tests.simulation import invariants, money, moves
from tests.simulation.books import Books, read
from tests.simulation.invariants import Broken
from tests.simulation.ledger import Ledger
from tests.simulation.provider import SimulatedProvider
from tests.simulation.watches import Clock, ours


class _AtOnce:
    """A sender without threads: a dialogue, which makes no request here, is over when it has begun."""

    def start(self, dialogue: Dialogue[Any], _delay_seconds: float = 0.0) -> Future[Any]:
        talk = Talk(dialogue)
        assert talk.begin(0.0) is None
        return talk.future

    def close(self) -> None:
        """Nothing to end."""


class Commits:
    """Group commit without its thread: a group of one is written by whoever brings it, others when all are here."""

    def __init__(self) -> None:
        self._gathered: list[_Entry[Any, Any]] | None = None

    def submit(self, item: Any, write: Any, after: Any) -> Future[Any]:
        entry: _Entry[Any, Any] = _Entry(item)
        if self._gathered is None:
            _write([entry], write, after)
        else:
            self._gathered.append(entry)
            self._functions = write, after
        return entry.future

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is brought meanwhile is one group."""
        self._gathered = gathered = []
        try:
            yield
        finally:
            self._gathered = None
        _write(gathered, *self._functions)


def _write(group: Sequence[_Entry[Any, Any]], write: Any, after: Any) -> None:
    after([answer for answer in _write_group(group, write) if not isinstance(answer, Exception)])


@cache
def _database() -> Database:
    """One database in memory for all worlds of this process, one after the other: its statements are compiled once."""
    database = Database("sqlite://")
    metadata.create_all(database.engine)
    with database.transaction() as connection:
        moves.watch(connection)
    return database


class World:
    """One history. Services are called through it, so that the ledger knows what was promised, told and billed."""

    def __init__(self, random: Random, **overrides: object) -> None:
        self.settings = make_settings(database_url="sqlite://", **overrides)
        self.random = random
        self.clock = Clock()
        self.ledger = Ledger(self.settings)
        self.database = _database()
        self.signer = TokenSigner(self.settings.secret_keys)
        self.provider = SimulatedProvider(self.ledger, self.signer, lambda: self.clock.now)
        self.runtime = self.new_runtime(self.database)
        with self.database.transaction() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(sqlalchemy.delete(table))
            moves.forget(connection)
        self._moves_seen = 0

    @contextmanager
    def running(self) -> Iterator["World"]:
        """As long as this lasts, the product's clock and ids are the world's."""
        with ours(self.clock, self.random):
            yield self

    def new_runtime(self, database: Any, doorbell: Any = None) -> Runtime:
        """What one process of the product has."""
        return Runtime(
            settings=self.settings,
            database=database,
            providers={PROVIDER: self.provider},
            signer=self.signer,
            echoes=EchoSigner(self.settings.secret_keys),
            doorbell=doorbell or RecordingDoorbell(),
            sending={PROVIDER: _AtOnce()},
            asking=_AtOnce(),
            callback_commits=cast("Any", Commits()),
        )

    # --- what an operator does ---

    def hold_provider(self, seconds: float) -> None:
        """Nothing is claimed for so long, or until the hold is lifted. There is no service for that."""
        since, until = self.clock.now, self.clock.now + timedelta(seconds=seconds)
        row = {"scope": "provider", "scope_id": PROVIDER, "reason": "paused", "message": "", "since": since}
        with self.database.transaction() as connection:
            holds.place(connection, row | {"until": until, "placed_by": "operator"})

    def lift_provider(self) -> bool:
        """End whatever keeps all jobs from being submitted; whether anything did."""
        standing = [hold for hold in held(self.runtime) if hold.scope == "provider"]
        with self.database.transaction() as connection:
            for hold in standing:
                holds.lift(connection, hold.scope, hold.scope_id, hold.reason)
        return bool(standing)

    # --- what is looked at ---

    def books(self) -> Books:
        with self.database.reading() as connection:
            return read(connection)

    def check(self) -> Books:
        """Hold every sentence of `invariants` and `money` against the books, and of `moves` against what led there.

        Raises:
            Broken: the name of one that does not hold, and the rows that it is about.
        """
        self._check_moves()
        books = self.books()
        for sentence in (*invariants.SENTENCES, *money.SENTENCES):
            try:
                sentence(books, self.ledger)
            except Broken as broken:
                raise Broken(sentence.__name__, *broken.args) from None
        return books

    def _check_moves(self) -> None:
        with self.database.reading() as connection:
            made = moves.since(connection, self._moves_seen)
        moves.nothing_moves_but_as_the_tables_say(made)
        self._moves_seen = made[-1].number if made else self._moves_seen
