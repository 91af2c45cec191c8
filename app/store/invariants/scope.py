"""What an invariant is, and which rows one look at it takes in."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, literal

from app.ids import Kind
from app.models import jobs

LAST_POSITION = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Scope:
    """Batches, or of one batch the jobs at the positions `first` to `last`.

    What was due before `missed_before` should have been seen to.
    """

    batch_ids: tuple[UUID, ...]
    missed_before: datetime
    first: int = 0
    last: int = LAST_POSITION

    @property
    def has_job(self) -> ColumnElement[bool]:
        """Whether a row of `jobs` is in it."""
        return and_(jobs.c.batch_id.in_(self.batch_ids), jobs.c.position.between(self.first, self.last))


@dataclass(frozen=True, slots=True)
class Invariant:
    """Something that holds whatever happens. `name` is how it is spoken of, `promise` what it says, in a sentence.

    `select` makes one statement, so that it sees one moment of a running system; its rows have `id`, of a thing of
    this `kind`, `batch_id`, and `reason`: what is wrong, NULL for what is as it should be.
    """

    name: str
    promise: str
    kind: Kind
    select: Callable[[Scope], Select[Any]]


@dataclass(frozen=True, slots=True)
class Violation:
    """A row that breaks an invariant, and how."""

    kind: Kind
    id: UUID
    batch_id: UUID
    reason: str


def first_of(*faults: tuple[ColumnElement[bool], ColumnElement[str] | str]) -> ColumnElement[str | None]:
    """The reason of the first condition that is met, NULL if none is."""
    reasons = [(condition, literal(why) if isinstance(why, str) else why) for condition, why in faults]
    return case(*reasons, else_=None).label("reason")
