"""Verification: what became of every job of a batch, what came for it, what it cost, and whether it fits together."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from app.runtime import Runtime
from app.services import doctor, status
from app.services.doctor import Finding
from app.services.shown import money
from app.states import OPEN_JOB_STATES, Outcome
from app.store import tallies


@dataclass(frozen=True, slots=True)
class Costs:
    """In the provider's currency: `useful` for the attempts that gave the kept results, `wasted` for all others.

    `unpriced_attempts` may have been billed too; nobody told how much.
    """

    useful: Decimal
    wasted: Decimal
    unpriced_attempts: int


@dataclass(frozen=True, slots=True)
class Verification:
    """A batch as it was found. `open_jobs` have no outcome yet; every other has the one that its state says."""

    batch_id: UUID
    verified_at: datetime
    is_sound: bool
    total: int
    counts: dict[str, int]
    open_jobs: int
    callbacks: dict[str, int]
    cost: Costs
    findings: tuple[Finding, ...]


def verify(runtime: Runtime, owner: str | None, batch_id: UUID) -> Verification:
    """Look through a batch: every invariant, and every kept body by its hash.

    Raises:
        NotFound: no such batch of this owner's.
    """
    batch = status.batch(runtime, owner, batch_id)
    findings = doctor.examine(runtime, batch_id, with_bodies=True)
    with runtime.database.reading() as connection:
        spent = tallies.spent(connection, batch_id)
        outcomes = tallies.outcomes(connection, batch_id)
    return Verification(
        batch_id=batch_id,
        verified_at=runtime.moment().now,
        is_sound=not any(finding.violations for finding in findings),
        total=batch.total,
        counts=dict(batch.counts),
        open_jobs=sum(batch.counts[state] for state in OPEN_JOB_STATES),
        callbacks={str(outcome): outcomes.get(outcome, 0) for outcome in Outcome},
        cost=Costs(money(spent.useful_nano), money(spent.wasted_nano), spent.unpriced),
        findings=findings,
    )
