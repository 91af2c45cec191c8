"""How much is measured, and what a measurement gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.bench.designs import Design


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures by the names of their rows; what was lost or wrong, and what else is worth knowing, in words."""

    figures: Mapping[str, float]
    complaints: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """Jobs a row. The obvious design gets a part of them: its rate doesn't depend on how many there are."""

    jobs: int = 20_000
    obvious_jobs: int = 2_000
    large_batch: int = 50_000
    singles: int = 200
    large_run: int = 50_000
    obvious_large_run: int = 5_000

    def jobs_for(self, design: Design) -> int:
        return self.jobs if design.name == "ours" else self.obvious_jobs

    def large_run_for(self, design: Design) -> int:
        return self.large_run if design.name == "ours" else self.obvious_large_run


SMOKE = Plan(jobs=200, obvious_jobs=60, large_batch=500, singles=5, large_run=200, obvious_large_run=60)


def patience(jobs: int) -> float:
    """Seconds after which a run of so many jobs is given up: a design that does fewer than 25 a second has failed."""
    return 60 + jobs / 25
