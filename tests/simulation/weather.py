"""The weather of one run, drawn from its seed: how large it is, and how often each thing goes wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from tests.simulation.provider import Fate, Says

MOST_STALLED_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Weather:
    """Chances are per occasion, durations in seconds. Each run leaves out some of the troubles, so that others show."""

    workers: int
    batches: int
    jobs: int
    max_in_flight: int
    rate_per_second: float | None
    backoff_seconds: float
    seconds: float
    death: float  # at each transaction's beginning and end
    outage: float  # likewise; at the end it was committed, and nobody is told
    interlude: float  # likewise: others have their turn
    stall: float  # likewise: time passes
    loss: float  # of a ring, of a callback
    repeat: float  # of a callback
    skew_seconds: float
    tardiness: float  # how many callbacks come about when they are given up, or later
    owner: Sequence[str]  # what each owner does after submitting, one after the other
    operator: int  # how often it interferes
    can_read_back: bool
    fates: Mapping[Fate, int]
    says: Mapping[Says, int]

    @property
    def tolerance_seconds(self) -> float:
        """How far the times of one job may be out of order: they are read from several watches, before a stall."""
        return self.skew_seconds + 3 * MOST_STALLED_SECONDS


_PLANS = (
    (),
    (),
    ("retry", "retry"),
    ("cancel", "retry"),
    ("cancel", "retry", "retry", "delete"),
    ("retry", "cancel", "delete", "retry"),
)


def drawn(random: Random) -> Weather:
    """A weather. Half of all runs are spared each trouble."""

    def trouble(chance: float) -> float:
        return chance if random.random() < 0.5 else 0.0

    return Weather(
        workers=random.choice([1, 2, 2, 3]),
        batches=random.choice([1, 1, 2]),
        jobs=random.choice([1, 2, 3]),
        max_in_flight=random.choice([1, 2, 100]),
        rate_per_second=random.choice([None, None, 0.5]),
        backoff_seconds=random.choice([0.01, 2.0]),
        seconds=random.choice([60.0, 150.0, 250.0]),
        death=trouble(0.006),
        outage=trouble(0.01),
        interlude=random.choice([0.0, 0.15, 0.4]),
        loss=trouble(0.4),
        repeat=trouble(0.4),
        stall=trouble(0.1),
        skew_seconds=trouble(random.choice([2.0, 40.0])),
        tardiness=random.choice([0.1, 0.5, 0.9]),
        owner=random.choice(_PLANS),
        operator=random.choice([0, 0, 4]),
        can_read_back=random.random() < 0.5,
        fates={fate: random.choice([0, 1, 3]) for fate in Fate} | {Fate.ACCEPTED: 10},
        says={kind: random.choice([0, 1, 2]) for kind in Says} | {Says.ANSWER: 8},
    )
